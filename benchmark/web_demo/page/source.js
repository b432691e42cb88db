/**
 * Where images come from: a picture or the webcam. Both give `next()`, the image as `{image: ImageData, shown: canvas}`
 * or null while there is none, and `changes`, whether the next one is another.
 */

import { Problem } from "./detector/problem.js";

/** Draws into a canvas of the image's own size, and reads it back. */
class Frame {
  constructor() {
    this.shown = document.createElement("canvas");
    this.context = this.shown.getContext("2d", { willReadFrequently: true });
  }

  take(picture, width, height) {
    if (this.shown.width !== width || this.shown.height !== height) Object.assign(this.shown, { width, height });
    this.context.drawImage(picture, 0, 0);
    return { image: this.context.getImageData(0, 0, width, height), shown: this.shown };
  }
}

export class Picture {
  changes = false;

  /** @throws {Problem} the file is no picture that this browser can read */
  static async open(file) {
    // Numbers as they are stored, as OpenCV reads them: no colour profile is applied.
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => null);
    if (bitmap === null) throw new Problem(`${file.name}: expected a picture or a .tflite file; this browser cannot read it`);
    return new Picture(bitmap);
  }

  constructor(bitmap) {
    this.taken = new Frame().take(bitmap, bitmap.width, bitmap.height);
    bitmap.close();
  }

  next() {
    return this.taken;
  }

  close() {}
}

export class Webcam {
  changes = true;

  /** @throws {Problem} there is no camera, or it was not allowed */
  static async open() {
    const wish = { audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } };
    try {
      return await Webcam.#started(await navigator.mediaDevices.getUserMedia(wish));
    } catch (error) {
      throw new Problem(`the webcam does not start (${error.message}): allow it in the browser, or choose a picture`);
    }
  }

  static async #started(stream) {
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    return new Webcam(stream, video);
  }

  constructor(stream, video) {
    Object.assign(this, { stream, video, frame: new Frame() });
  }

  next() {
    const { videoWidth, videoHeight } = this.video;
    return videoWidth ? this.frame.take(this.video, videoWidth, videoHeight) : null;
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
  }
}

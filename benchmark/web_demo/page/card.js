/** What the page shows of one model: its name, the image with its faces, and the figures. */

import { compared } from "./compare.js";

const TEMPLATE = document.getElementById("card");

export class Card {
  constructor(model, onRemove) {
    this.model = model;
    this.element = TEMPLATE.content.firstElementChild.cloneNode(true);
    this.part("name").textContent = short(model);
    this.part("about").textContent = `${model.kilobytes} KB, ${model.network.inputType} ${model.spec.input_width}×${model.spec.input_height}`;
    this.part("remove").addEventListener("click", onRemove);
    this.part("remove").setAttribute("aria-label", `remove ${model.name}`);
    this.canvas = this.part("canvas");
  }

  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  /**
   * Draw the image and its faces, and write the figures.
   *
   * @param {HTMLCanvasElement} shown the image
   * @param {object[]} faces in pixels of the image
   * @param {?{model: Model, faces: object[]}} reference the model that this one is compared with
   */
  draw(shown, faces, reference) {
    this.#fit(shown);
    const context = this.canvas.getContext("2d");
    context.drawImage(shown, 0, 0, this.canvas.width, this.canvas.height);
    const painter = new Painter(context, this.canvas.width / shown.width, getComputedStyle(this.canvas));
    for (const face of faces) painter.face(face);
    this.part("faces").textContent = `${faces.length} ${faces.length === 1 ? "face" : "faces"}`;
    this.part("compared").textContent = reference === null ? "" : sentence(compared(reference.faces, faces), short(reference.model));
    this.#times();
  }

  #fit(shown) {
    const width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    const height = Math.round((width * shown.height) / shown.width);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
  }

  #times() {
    const { inference, whole } = this.model;
    this.part("inference").textContent = milliseconds(inference.median);
    this.part("whole").textContent = milliseconds(whole.median);
  }
}

class Painter {
  constructor(context, scale, style) {
    Object.assign(this, { context, scale });
    this.box = style.getPropertyValue("--box").trim();
    this.point = style.getPropertyValue("--point").trim();
    this.pixel = devicePixelRatio;
  }

  face({ box, score, landmarks }) {
    const { context, scale, pixel } = this;
    const [left, top, right, bottom] = box.map((value) => value * scale);
    context.strokeStyle = this.box;
    context.lineWidth = 2 * pixel;
    context.strokeRect(left, top, right - left, bottom - top);
    context.fillStyle = this.point;
    const radius = pixel * Math.min(Math.max((right - left) / pixel / 25, 1), 2.5);
    for (const [x, y] of landmarks) this.#dot(x * scale, y * scale, radius);
    this.#label(score.toFixed(2), left, top, bottom);
  }

  #dot(x, y, radius) {
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fill();
  }

  /** Above the box, or below it where there is no room. */
  #label(text, left, top, bottom) {
    const { context, pixel } = this;
    context.font = `${11 * pixel}px system-ui, sans-serif`;
    const [width, height] = [context.measureText(text).width + 6 * pixel, 15 * pixel];
    const x = Math.max(0, Math.min(left - pixel, context.canvas.width - width));
    const y = top >= height ? top - height : Math.min(bottom, context.canvas.height - height);
    context.fillStyle = this.box;
    context.fillRect(x, y, width, height);
    context.fillStyle = "#fff";
    context.textBaseline = "middle";
    context.fillText(text, x + 3 * pixel, y + height / 2);
  }
}

function short({ name }) {
  return name.replace(/\.tflite$/, "");
}

function milliseconds(value) {
  return value === null ? "–" : `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
}

function sentence({ lost, gained, iou }, name) {
  const overlap = iou === null ? "" : `; shared boxes overlap by ${(100 * iou).toFixed(1)} %`;
  return `against ${name}: ${lost} lost, ${gained} gained${overlap}`;
}

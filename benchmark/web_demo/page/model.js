/** One model file: opened, run on images, asked for the faces at any threshold. */

import { decoderOf } from "./detector/decoders/index.js";
import { detect } from "./detector/detect.js";
import { letterbox } from "./detector/letterbox.js";
import { Problem } from "./detector/problem.js";
import { readSpec } from "./detector/spec.js";
import { real, store } from "./detector/stored.js";
import { readTflite } from "./detector/tflite_file.js";
import { Timings } from "./timings.js";

export class Model {
  /**
   * @param {{name: string, bytes: Uint8Array, record: () => Promise<?string>}} file `record` fetches the JSON that lies
   *     beside the file, for one that carries no spec inside
   * @param {{compile: Function}} runtime `Network` of `runtime.js`
   * @throws {Problem} the file cannot be used: one line that begins with its name
   */
  static async open(file, runtime) {
    return named(file.name, async () => {
      const told = readTflite(file.bytes);
      const spec = readSpec(told.specJson ?? (await specBeside(file)));
      const decoder = await decoderOf(spec);
      return new Model(file, { told, spec, decoder, network: await runtime.compile(file.bytes) });
    });
  }

  constructor(file, { told, spec, decoder, network }) {
    const expected = [1, spec.input_height, spec.input_width, 3];
    if (network.inputShape.join() !== expected.join()) {
      throw new Problem(`the spec expects an input of [${expected}], found [${network.inputShape}]`);
    }
    Object.assign(this, { told, spec, decoder, network, name: file.name, kilobytes: Math.round(file.bytes.length / 1000) });
    this.inference = new Timings();
    this.whole = new Timings();
    this.outputs = null;
  }

  /**
   * Run on an image (RGBA as a canvas gives it); `faces` then answers for it.
   *
   * @throws {Problem} the network's outputs contradict its spec
   */
  async run(image) {
    return named(this.name, () => this.#run(image));
  }

  async #run(image) {
    const start = performance.now();
    const { pixels, scale } = letterbox(image, this.spec);
    this.network.fill((target) => store(pixels, target, this.network.inputType, this.told.input));
    const filled = performance.now();
    const stored = await this.network.run();
    const inferred = performance.now();
    this.scale = scale;
    this.outputs = new Map(Array.from(stored, ([name, { data, shape }]) => [name, { data: real(data, this.#scaling(name)), shape }]));
    this.faces(this.spec.score_threshold);
    this.inference.add(inferred - filled);
    this.whole.add(performance.now() - start);
  }

  /** Faces of the last image with a score above `threshold`, in its pixels; none before the first image. */
  faces(threshold) {
    return this.outputs === null ? [] : detect(this.outputs, this.spec, this.decoder, threshold, this.scale);
  }

  close() {
    this.network.close();
  }

  #scaling(name) {
    const found = this.told.outputs.get(name);
    if (found === undefined) throw new Problem(`the runtime calls an output '${name}', the file ${[...this.told.outputs.keys()].join(", ")}`);
    return found;
  }
}

/** Problems of a file begin with its name. */
async function named(name, action) {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Problem) throw new Problem(`${name}: ${error.message}`);
    throw error;
  }
}

async function specBeside(file) {
  const record = await file.record();
  if (record === null) throw new Problem(`it carries no spec, and no ${file.name}.json came with it: give both, or convert it with this project`);
  try {
    const value = JSON.parse(record);
    return JSON.stringify(value.spec ?? value);
  } catch (error) {
    throw new Problem(`${file.name}.json is no JSON: ${error.message}`);
  }
}

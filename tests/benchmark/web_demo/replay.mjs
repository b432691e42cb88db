/** Calls the page's own modules: a question a line as JSON on stdin, an answer a line on stdout. */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const page = new URL("../../../benchmark/web_demo/page/", import.meta.url);
const load = (name) => import(new URL(name, page));
const bytesOf = (text) => new Uint8Array(Buffer.from(text, "base64"));
const TYPES = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };
const valuesOf = ({ type, data }) => new TYPES[type](bytesOf(data).buffer);

const QUESTIONS = {
  async detect({ spec, tensors, threshold, scale }) {
    const [{ detect }, { decoderOf }, { readSpec }, { real }] = await Promise.all(
      ["detector/detect.js", "detector/decoders/index.js", "detector/spec.js", "detector/stored.js"].map(load),
    );
    const read = readSpec(JSON.stringify(spec));
    const outputs = new Map(
      tensors.map((tensor) => [
        tensor.name,
        { data: real(valuesOf(tensor), { scale: tensor.scale, zeroPoint: tensor.zero_point }), shape: tensor.shape },
      ]),
    );
    return detect(outputs, read, await decoderOf(read), threshold, scale);
  },
  async letterbox({ spec, image, width, height }) {
    const { letterbox } = await load("detector/letterbox.js");
    const { pixels, scale } = letterbox({ data: bytesOf(image), width, height }, spec);
    return { pixels: Buffer.from(pixels).toString("base64"), scale };
  },
  async read({ file }) {
    const { readTflite } = await load("detector/tflite_file.js");
    const { specJson, input, outputs } = readTflite(new Uint8Array(readFileSync(file)));
    return { specJson, input, outputs: [...outputs] };
  },
  async store({ pixels, type, scale, zeroPoint }) {
    const { store } = await load("detector/stored.js");
    const target = new TYPES[type](pixels.length);
    store(Uint8Array.from(pixels), target, type, { scale, zeroPoint });
    return [...target];
  },
  async compare({ reference, candidate }) {
    const { compared } = await load("compare.js");
    return compared(reference, candidate);
  },
  async median({ milliseconds }) {
    const { Timings } = await load("timings.js");
    const timings = new Timings();
    for (const one of milliseconds) timings.add(one);
    return { median: timings.median, isFull: timings.isFull };
  },
};

const { Problem } = await load("detector/problem.js");

async function answered(question) {
  try {
    return { answer: await QUESTIONS[question.ask](question) };
  } catch (error) {
    return error instanceof Problem ? { problem: error.message } : { bug: error.stack };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answered(JSON.parse(line)))}\n`);
}

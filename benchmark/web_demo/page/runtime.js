/**
 * Runs TFLite files with LiteRT.js: the only file of the page that knows the runtime.
 *
 * LiteRT.js's own tensors know no int8, which the outputs of an integer file are; so tensors are handled through
 * `liteRtWasm`, the layer that the package publishes below them. One thread, XNNPACK.
 */

import { loadLiteRt } from "@litertjs/core";

import { Problem } from "./detector/problem.js";

/** Element types by their number in LiteRT. */
const TYPES = { 1: ["float32", Float32Array], 3: ["uint8", Uint8Array], 9: ["int8", Int8Array] };
const OPTIONS = { accelerator: "wasm", cpuOptions: { numThreads: 1 }, gpuOptions: {}, webNNOptions: {} };

let loading = null;

/** The runtime, fetched and started by the first call. */
function liteRt() {
  loading ??= loadLiteRt("/runtime/core/wasm/");
  return loading;
}

/** A network that is ready to run. */
export class Network {
  /**
   * @param {Uint8Array} bytes of a TFLite file
   * @returns {Promise<Network>}
   * @throws {Problem} the runtime does not start or refuses the file
   */
  static async compile(bytes) {
    try {
      return await Network.#compile(await liteRt(), bytes);
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(`LiteRT.js refuses it: ${error.message ?? error}`);
    }
  }

  static async #compile(runtime, bytes) {
    const wasm = runtime.liteRtWasm;
    const environment = runtime.getDefaultEnvironment();
    const place = wasm._malloc(bytes.length);
    wasm.HEAPU8.set(bytes, place);
    const model = wasm.loadModel(environment.liteRtEnvironment, place, bytes.length);
    const compiled = await wasm.compileModel(environment.liteRtEnvironment, model, { ...OPTIONS, environment });
    return new Network(wasm, environment, { place, model, compiled });
  }

  constructor(wasm, environment, { place, model, compiled }) {
    Object.assign(this, { wasm, place, model, compiled });
    const type = model.getInputTensorType(0, 0);
    this.inputType = typeOf(type)[0];
    this.inputShape = shapeOf(type);
    const memory = wasm.LiteRtTensorBufferType.HOST_MEMORY;
    this.input = wasm.LiteRtTensorBuffer.createManaged(environment.liteRtEnvironment, memory, type, type.bytes());
    type.delete();
    const signature = model.getSignature(0);
    this.outputNames = listOf(signature.outputNames());
    signature.delete();
  }

  /**
   * Let `write` fill the input: it gets a typed array of the input's type, [1, H, W, 3].
   *
   * @param {(target: TypedArray) => void} write
   */
  fill(write) {
    const place = this.input.lock(this.wasm.LiteRtTensorBufferLockMode.WRITE);
    try {
      write(viewOf(this.wasm, this.input, place));
    } finally {
      this.input.unlock();
    }
  }

  /**
   * Run on what `fill` wrote.
   *
   * @returns {Promise<Map<string, {data: TypedArray, shape: number[]}>>} outputs by name, as the file stores them
   */
  async run() {
    const buffers = await this.compiled.run(0, [this.input]);
    return new Map(buffers.map((buffer, index) => [this.outputNames[index], this.#taken(buffer)]));
  }

  #taken(buffer) {
    const place = buffer.lock(this.wasm.LiteRtTensorBufferLockMode.READ);
    try {
      const type = buffer.tensorType();
      const output = { data: viewOf(this.wasm, buffer, place).slice(), shape: shapeOf(type) };
      type.delete();
      return output;
    } finally {
      buffer.unlock();
      buffer.delete();
    }
  }

  /** Give the memory back: WASM's is not collected. */
  close() {
    for (const part of [this.input, this.compiled, this.model]) part.delete();
    this.wasm._free(this.place);
  }
}

function viewOf(wasm, buffer, place) {
  const type = buffer.tensorType();
  const [, Elements] = typeOf(type);
  type.delete();
  return new Elements(wasm.HEAPU8.buffer, place, buffer.packedSize() / Elements.BYTES_PER_ELEMENT);
}

function typeOf(tensorType) {
  const number = tensorType.elementType().value;
  if (!(number in TYPES)) throw new Problem(`expected inputs and outputs of float32, uint8 or int8, found LiteRT's type ${number}`);
  return TYPES[number];
}

function shapeOf(tensorType) {
  const layout = tensorType.layout();
  const shape = listOf(layout.dimensions());
  layout.delete();
  return shape;
}

function listOf(vector) {
  const list = Array.from({ length: vector.size() }, (_, index) => vector.get(index));
  vector.delete();
  return list;
}

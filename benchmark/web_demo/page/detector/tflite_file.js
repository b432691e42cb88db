/**
 * What a TFLite file says of itself, read without the runtime: the spec inside it and how its outputs are stored.
 *
 * Reads only the tables on the way. A `DataView` refuses what lies outside the file, so that a truncated file is a
 * message and no wrong number.
 *
 * Source: tensorflow/lite/schema/schema.fbs (field numbers) and the FlatBuffers binary format.
 */

import { Problem } from "./problem.js";

const SPEC_METADATA = "featherface_spec";
const MODEL = { subgraphs: 2, buffers: 4, metadata: 6 };
const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2 };
const TENSOR = { name: 3, quantization: 4 };
const QUANTIZATION = { scale: 2, zeroPoint: 3 };
const METADATA = { name: 0, buffer: 1 };
const BUFFER = { data: 0 };

/**
 * @param {Uint8Array} bytes the whole file
 * @returns {{specJson: ?string, input: Stored, outputs: Map<string, Stored>}} `specJson` is null where the file carries
 *     none; `Stored` is `{scale, zeroPoint}`: a real number is (stored - zeroPoint) * scale, and scale 0 means as it is
 * @throws {Problem} no TFLite file, or cut off
 */
export function readTflite(bytes) {
  const reader = new Reader(bytes);
  try {
    return reader.read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Problem(`not a whole TFLite file: its tables point outside its ${bytes.length} bytes`);
  }
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read() {
    if (this.bytes.length < 8 || this.text(4, 4) !== "TFL3") {
      throw new Problem(`not a TFLite file: expected the mark TFL3 at byte 4 of ${this.bytes.length} bytes`);
    }
    const model = this.follow(0);
    const [graph] = this.tables(model, MODEL.subgraphs);
    const tensors = this.tables(graph, SUBGRAPH.tensors);
    const at = (field) => this.integers(graph, field).map((index) => tensors[index]);
    const [input] = at(SUBGRAPH.inputs);
    return {
      specJson: this.metadata(model, SPEC_METADATA),
      input: this.stored(input),
      outputs: new Map(at(SUBGRAPH.outputs).map((tensor) => [this.string(tensor, TENSOR.name), this.stored(tensor)])),
    };
  }

  metadata(model, name) {
    const entry = this.tables(model, MODEL.metadata).find((one) => this.string(one, METADATA.name) === name);
    if (entry === undefined) return null;
    const number = this.field(entry, METADATA.buffer);
    const buffers = this.tables(model, MODEL.buffers);
    const held = this.string(buffers[number === null ? 0 : this.view.getUint32(number, true)], BUFFER.data);
    return held.replace(/\0+$/, "");
  }

  stored(tensor) {
    const place = this.field(tensor, TENSOR.quantization);
    const quantization = place === null ? null : this.follow(place);
    const scales = quantization === null ? null : this.vector(quantization, QUANTIZATION.scale);
    if (scales === null || this.length(scales) !== 1) return { scale: 0, zeroPoint: 0 };
    const zeros = this.vector(quantization, QUANTIZATION.zeroPoint);
    const zeroPoint = zeros === null ? 0 : Number(this.view.getBigInt64(zeros + 4, true));
    return { scale: this.view.getFloat32(scales + 4, true), zeroPoint };
  }

  follow(position) {
    return position + this.view.getUint32(position, true);
  }

  /** Position of a table's field, or null where the table leaves it out. */
  field(table, number) {
    const vtable = table - this.view.getInt32(table, true);
    const entry = 4 + 2 * number;
    if (entry >= this.view.getUint16(vtable, true)) return null;
    const offset = this.view.getUint16(vtable + entry, true);
    return offset === 0 ? null : table + offset;
  }

  vector(table, number) {
    const place = this.field(table, number);
    return place === null ? null : this.follow(place);
  }

  length(vector) {
    const length = this.view.getUint32(vector, true);
    if (length > this.bytes.length) throw new RangeError(`a vector of ${length}`);
    return length;
  }

  integers(table, number) {
    const vector = this.vector(table, number);
    if (vector === null) return [];
    return Array.from({ length: this.length(vector) }, (_, index) => this.view.getInt32(vector + 4 + 4 * index, true));
  }

  tables(table, number) {
    const vector = this.vector(table, number);
    if (vector === null) return [];
    return Array.from({ length: this.length(vector) }, (_, index) => this.follow(vector + 4 + 4 * index));
  }

  string(table, number) {
    const vector = this.vector(table, number);
    return vector === null ? "" : this.text(vector + 4, this.length(vector));
  }

  text(start, length) {
    if (start + length > this.bytes.length) throw new RangeError(`${start}+${length}`);
    return new TextDecoder().decode(this.bytes.subarray(start, start + length));
  }
}

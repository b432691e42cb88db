/**
 * A file's outputs -> the rows that a decoder reads, whatever the file calls and however it cuts them.
 *
 * Source: `model/geometry/outputs.py`. A `Matrix` is `{data: Float32Array, rows, columns}`, row by row.
 */

import { Problem } from "./problem.js";

const SQUASHED = /^sigmoid\((.+)\)$/;
const PART = /^(.+?)(\.T)?(?:\[(\d+):(\d+)\])?$/;

/** Its sigmoid is 1 in single precision. */
const LARGEST_LOGIT = 80;

/**
 * @param {Map<string, {data: Float32Array, shape: number[]}>} outputs real numbers by the output's name
 * @param {object} spec names the outputs
 * @returns {{boxes: Matrix, scores: Matrix, landmarks: Matrix}} N rows each, as many columns as the spec says
 * @throws {Problem} an output is missing, has another shape, or holds no number
 */
export function joined(outputs, spec) {
  const [boxes, scores, landmarks] = spec.output_names;
  const stack = (parts, name) => stacked(parts.length ? parts : [name], outputs);
  const found = {
    boxes: stack(spec.boxes_from, boxes),
    scores: stack(spec.scores_from, scores),
    landmarks: spec.points ? stack(spec.landmarks_from, landmarks) : { data: new Float32Array(0), rows: spec.anchor_count, columns: 0 },
  };
  if (spec.objectness_from.length) found.scores = beside(stacked(spec.objectness_from, outputs), found.scores);
  check(found, spec);
  return found;
}

function check(found, spec) {
  const columns = { boxes: 4, scores: spec.score_channels, landmarks: 2 * spec.points };
  for (const [name, matrix] of Object.entries(found)) {
    if (matrix.rows !== spec.anchor_count || matrix.columns !== columns[name]) {
      throw new Problem(`output ${name}: the spec expects [${spec.anchor_count}, ${columns[name]}], found [${matrix.rows}, ${matrix.columns}]`);
    }
    if (!isFinite(matrix.data)) throw new Problem(`output ${name} holds NaN or infinite values`);
  }
}

function isFinite(data) {
  for (let index = 0; index < data.length; index++) if (!Number.isFinite(data[index])) return false;
  return true;
}

function stacked(parts, outputs) {
  const found = parts.map((text) => rowsOf(text, outputs));
  const [{ columns }] = found;
  if (found.some((one) => one.columns !== columns)) throw new Problem(`outputs ${parts.join(", ")} differ in channels`);
  if (found.length === 1) return found[0];
  const rows = found.reduce((sum, one) => sum + one.rows, 0);
  const data = new Float32Array(rows * columns);
  let start = 0;
  for (const one of found) {
    data.set(one.data, start);
    start += one.data.length;
  }
  return { data, rows, columns };
}

function rowsOf(text, outputs) {
  if (text.includes("|") || text.startsWith("dfl(")) throw new Problem(`this page reads no outputs side by side and no dfl(...), found '${text}'`);
  const inner = SQUASHED.exec(text);
  if (inner !== null) return probabilities(rowsOf(inner[1], outputs));
  const match = PART.exec(text);
  if (match === null) throw new Problem(`an output is written NAME, NAME.T, NAME[FIRST:LAST] or sigmoid(NAME), found '${text}'`);
  const [, name, turned, first, last] = match;
  const output = outputs.get(name);
  if (output === undefined) throw new Problem(`the spec names an output '${name}'; the file has ${[...outputs.keys()].join(", ")}`);
  const shape = output.shape.length > 2 && output.shape[0] === 1 ? output.shape.slice(1) : output.shape;
  const columns = turned ? shape[0] : shape[shape.length - 1];
  const whole = { data: output.data, rows: output.data.length / columns, columns };
  const rows = turned ? transposed(whole) : whole;
  return first === undefined ? rows : channels(rows, Number(first), Number(last), name);
}

/** The file leaves the sigmoid to whoever reads it. */
function probabilities({ data, rows, columns }) {
  const squashed = data.map((logit) => 1 / (1 + Math.exp(-Math.min(Math.max(logit, -LARGEST_LOGIT), LARGEST_LOGIT))));
  return { data: squashed, rows, columns };
}

/** Channels stand before cells in the file. */
function transposed({ data, rows, columns }) {
  const turned = new Float32Array(data.length);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) turned[row * columns + column] = data[column * rows + row];
  }
  return { data: turned, rows, columns };
}

function channels(matrix, first, last, name) {
  if (!(first < last && last <= matrix.columns)) {
    throw new Problem(`output ${name} has ${matrix.columns} channels; the spec asks for ${first}:${last}`);
  }
  const columns = last - first;
  const data = new Float32Array(matrix.rows * columns);
  for (let row = 0; row < matrix.rows; row++) {
    for (let column = 0; column < columns; column++) data[row * columns + column] = matrix.data[row * matrix.columns + first + column];
  }
  return { data, rows: matrix.rows, columns };
}

function beside(left, right) {
  if (left.rows !== right.rows) throw new Problem(`${left.rows} rows of objectness but ${right.rows} of scores`);
  const columns = left.columns + right.columns;
  const data = new Float32Array(left.rows * columns);
  for (let row = 0; row < left.rows; row++) {
    data.set(left.data.subarray(row * left.columns, (row + 1) * left.columns), row * columns);
    data.set(right.data.subarray(row * right.columns, (row + 1) * right.columns), row * columns + left.columns);
  }
  return { data, rows: left.rows, columns };
}

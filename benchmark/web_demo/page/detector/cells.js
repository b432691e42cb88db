/**
 * The cell that each candidate belongs to: levels in the order of the strides, cells row by row, the anchors of a cell
 * fastest. Source: `model/geometry/anchors.py`.
 */

/** Largest exponent of a decoded size: e^8 times the anchor is larger than any image, and finite. */
export const MAX_LOG_SIZE = 8;

/**
 * @param {object} spec
 * @returns {{x: number, y: number, stride: number, side: number}[]} N: corner and stride of the cell and the anchor's
 *     side, in pixels of the input
 */
export function cells(spec) {
  const found = [];
  spec.strides.forEach((stride, level) => {
    for (let y = 0; y + stride <= spec.input_height; y += stride) {
      for (let x = 0; x + stride <= spec.input_width; x += stride) {
        for (const side of spec.anchor_sizes[level]) found.push({ x, y, stride, side });
      }
    }
  });
  return found;
}

/** Corners of a box from its centre and half its size. */
export function around(x, y, halfWidth, halfHeight) {
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}

/** One number for each candidate's row of scores: Float32Array [N]. */
export function eachRow({ data, rows, columns }, of) {
  const found = new Float32Array(rows);
  for (let row = 0; row < rows; row++) found[row] = of(data.subarray(row * columns, (row + 1) * columns));
  return found;
}

/** The last of a candidate's score channels: a face's probability, alone or behind the background's. */
export function lastChannel({ data, rows, columns }) {
  const found = new Float32Array(rows);
  for (let row = 0; row < rows; row++) found[row] = data[row * columns + columns - 1];
  return found;
}

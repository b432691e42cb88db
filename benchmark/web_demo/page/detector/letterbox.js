/**
 * Fit an image into a network's input: scaled alike in x and y, at the top left, the rest in the pad colour.
 *
 * Source: `model/geometry/letterbox.py`; OpenCV's 8-bit `resize` with `INTER_LINEAR` (pixel centres, 11-bit weights),
 * which prepares the images there: the network must see the same pixels here.
 */

import { roundHalfEven } from "./rounding.js";

/** The weight of a whole pixel. */
const ONE = 2048;

/**
 * @param {{data: ArrayLike<number>, width: number, height: number}} image RGBA, 4 bytes a pixel, as a canvas gives it
 * @param {object} spec says the input's size and the pad colour
 * @returns {{pixels: Uint8Array, scale: number}} RGB [input_height, input_width, 3]; pixels of the input = pixels of
 *     the image times `scale`
 */
export function letterbox(image, spec) {
  const scale = Math.min(spec.input_height / image.height, spec.input_width / image.width);
  const columns = taps(image.width, fitted(image.width * scale));
  const rows = taps(image.height, fitted(image.height * scale));
  const pixels = padded(spec);
  for (let y = 0; y < rows.first.length; y++) {
    resizeRow(image, rows, y, columns, pixels, 3 * y * spec.input_width);
  }
  return { pixels, scale };
}

function fitted(side) {
  return Math.max(1, roundHalfEven(side));
}

function padded(spec) {
  const pixels = new Uint8Array(3 * spec.input_height * spec.input_width);
  const [red, green, blue] = spec.pad_rgb;
  for (let index = 0; index < pixels.length; index += 3) {
    pixels[index] = red;
    pixels[index + 1] = green;
    pixels[index + 2] = blue;
  }
  return pixels;
}

/** For each pixel of a resized line: the two source pixels it lies between, and their weights (sum `ONE`). */
function taps(source, target) {
  const step = source / target;
  const result = { first: new Int32Array(target), second: new Int32Array(target), one: new Int32Array(target), two: new Int32Array(target) };
  for (let pixel = 0; pixel < target; pixel++) {
    const position = Math.fround((pixel + 0.5) * step - 0.5);
    let before = Math.floor(position);
    let share = Math.fround(position - before);
    if (before < 0 || before >= source - 1) {
      before = Math.min(Math.max(before, 0), source - 1);
      share = 0;
    }
    result.first[pixel] = before;
    result.second[pixel] = Math.min(before + 1, source - 1);
    result.one[pixel] = Math.round(Math.fround(1 - share) * ONE);
    result.two[pixel] = Math.round(share * ONE);
  }
  return result;
}

function resizeRow(image, rows, y, columns, pixels, start) {
  const { data, width } = image;
  const [above, below, topWeight, bottomWeight] = [4 * rows.first[y] * width, 4 * rows.second[y] * width, rows.one[y], rows.two[y]];
  let out = start;
  for (let x = 0; x < columns.first.length; x++) {
    const [left, right, one, two] = [4 * columns.first[x], 4 * columns.second[x], columns.one[x], columns.two[x]];
    for (let channel = 0; channel < 3; channel++) {
      const top = data[above + left + channel] * one + data[above + right + channel] * two;
      const bottom = data[below + left + channel] * one + data[below + right + channel] * two;
      pixels[out++] = mixed(top, bottom, topWeight, bottomWeight);
    }
  }
}

/** Mixes two lines' values with 11-bit weights, cutting and rounding as OpenCV does. */
function mixed(top, bottom, topWeight, bottomWeight) {
  return (((topWeight * (top >> 4)) >> 16) + ((bottomWeight * (bottom >> 4)) >> 16) + 2) >> 2;
}

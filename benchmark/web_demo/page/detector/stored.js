/** Real numbers <-> what a tensor stores: real = (stored - zeroPoint) * scale in float32; scale 0: as it is. */

import { roundHalfEven } from "./rounding.js";

const LIMITS = { uint8: [0, 255], int8: [-128, 127] };

/**
 * @param {ArrayLike<number>} values as the tensor stores them
 * @returns {Float32Array} real numbers
 */
export function real(values, { scale, zeroPoint }) {
  const found = new Float32Array(values);
  if (!scale) return found;
  const factor = Math.fround(scale);
  for (let index = 0; index < found.length; index++) found[index] = (found[index] - zeroPoint) * factor;
  return found;
}

/**
 * Write pixels 0..255 into an input tensor as it wants them.
 *
 * @param {Uint8Array} pixels
 * @param {TypedArray} target of the tensor's type `type` ("float32", "uint8" or "int8")
 */
export function store(pixels, target, type, { scale, zeroPoint }) {
  if (type === "float32" || (scale === 1 && zeroPoint === 0)) return target.set(pixels);
  const [low, high] = LIMITS[type];
  const levels = Float32Array.from({ length: 256 }, (_, pixel) => Math.min(Math.max(roundHalfEven(Math.fround(pixel / (scale || 1))) + zeroPoint, low), high));
  for (let index = 0; index < pixels.length; index++) target[index] = levels[pixels[index]];
}

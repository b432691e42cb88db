/**
 * Offsets from square anchors in units of their side: SSD, RetinaFace, Ultra-Light, BlazeFace.
 *
 * Variant "plain": sizes are coded like centres, not as logarithms.
 * Source: SSD (Liu et al., 2016), section 2.2, with the variances of its published code.
 */

import { MAX_LOG_SIZE, around, cells, lastChannel } from "../cells.js";

export const variants = ["logarithm", "plain"];

export function create(spec, variant) {
  const [centre, size] = spec.variances;
  const anchors = cells(spec).map(({ x, y, stride, side }) => ({ x: x + stride / 2, y: y + stride / 2, side }));
  const sized = variant === "plain" ? (value) => value * size : (value) => Math.exp(Math.min(value * size, MAX_LOG_SIZE));
  return {
    faces: lastChannel,
    box(row, candidate) {
      const { x, y, side } = anchors[candidate];
      return around(x + row[0] * centre * side, y + row[1] * centre * side, (sized(row[2]) * side) / 2, (sized(row[3]) * side) / 2);
    },
    landmarks(row, candidate) {
      const { x, y, side } = anchors[candidate];
      return Array.from(row, (value, index) => (index % 2 ? y : x) + value * centre * side);
    },
  };
}

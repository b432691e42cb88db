/**
 * Boxes that the network has decoded already, in pixels of its input or as shares of it.
 *
 * Landmarks are in the same unit. The face's score is the best of the score channels.
 * Source: Ultralytics' exported detection head, [1, 4 + C, N].
 */

import { around, eachRow } from "../cells.js";

export const variants = ["centre_size", "corners", "centre_size_shares", "corners_shares"];

export function create(spec, variant) {
  const [x, y] = variant.endsWith("_shares") ? [spec.input_width, spec.input_height] : [1, 1];
  return {
    faces: (scores) => eachRow(scores, (row) => Math.max(...row)),
    box(row) {
      if (variant.startsWith("corners")) return [row[0] * x, row[1] * y, row[2] * x, row[3] * y];
      return around(row[0] * x, row[1] * y, (row[2] * x) / 2, (row[3] * y) / 2);
    },
    landmarks: (row) => Array.from(row, (value, index) => value * (index % 2 ? y : x)),
  };
}

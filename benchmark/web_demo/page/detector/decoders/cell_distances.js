/**
 * Distances from a point of the cell to the four sides, in strides: SCRFD (corner), FCOS (centre).
 *
 * Source: SCRFD (Guo et al., 2021; its published `distance2bbox`), FCOS (Tian et al., 2019), equation 1.
 */

import { cells, lastChannel } from "../cells.js";

export const variants = ["corner", "centre"];

export function create(spec, variant) {
  const inset = variant === "centre" ? 0.5 : 0;
  const points = cells(spec).map(({ x, y, stride }) => ({ x: x + inset * stride, y: y + inset * stride, stride }));
  return {
    faces: lastChannel,
    box(row, candidate) {
      const { x, y, stride } = points[candidate];
      return [x - row[0] * stride, y - row[1] * stride, x + row[2] * stride, y + row[3] * stride];
    },
    landmarks(row, candidate) {
      const { x, y, stride } = points[candidate];
      return Array.from(row, (value, index) => (index % 2 ? y : x) + value * stride);
    },
  };
}

/**
 * Centre as an offset from the cell's corner, size as an exponent, both in strides; a score from two.
 *
 * Scores are (objectness, class): YuNet takes their geometric mean, YOLOX their product. A single channel is the score
 * itself. Source: YuNet (Wu et al., 2023; OpenCV's FaceDetectorYN), YOLOX (Ge et al., 2021; `decode_outputs`).
 */

import { MAX_LOG_SIZE, around, cells, eachRow, lastChannel } from "../cells.js";

export const variants = ["geometric", "product"];

export function create(spec, variant) {
  const corners = cells(spec);
  const half = (value, stride) => (Math.exp(Math.min(value, MAX_LOG_SIZE)) * stride) / 2;
  return {
    faces: (scores) => (scores.columns === 1 ? lastChannel(scores) : combined(scores, variant)),
    box(row, candidate) {
      const { x, y, stride } = corners[candidate];
      return around(x + row[0] * stride, y + row[1] * stride, half(row[2], stride), half(row[3], stride));
    },
    landmarks(row, candidate) {
      const { x, y, stride } = corners[candidate];
      return Array.from(row, (value, index) => (index % 2 ? y : x) + value * stride);
    },
  };
}

function combined(scores, variant) {
  return eachRow(scores, ([objectness, ...classes]) => {
    const product = Math.fround(share(objectness) * share(Math.max(...classes)));
    return variant === "geometric" ? Math.sqrt(product) : product;
  });
}

function share(value) {
  return Math.min(Math.max(value, 0), 1);
}

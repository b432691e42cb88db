/**
 * Greedy non-maximum suppression.
 *
 * @param {Float32Array} boxes [M, 4] x_min, y_min, x_max, y_max in pixels, best score first
 * @param {number} iou a box that overlaps a kept one by more than this is dropped
 * @param {number} keep at most this many are kept
 * @returns {number[]} numbers of the kept boxes, best first
 */
export function nms(boxes, iou, keep) {
  const kept = [];
  for (let box = 0; box < boxes.length / 4 && kept.length < keep; box++) {
    if (!kept.some((other) => overlap(boxes, other, box) > iou)) kept.push(box);
  }
  return kept;
}

/** Intersection over union of two boxes of [M, 4]; empty boxes overlap nothing. */
export function overlap(boxes, first, second) {
  const [a, b] = [4 * first, 4 * second];
  const width = Math.min(boxes[a + 2], boxes[b + 2]) - Math.max(boxes[a], boxes[b]);
  const height = Math.min(boxes[a + 3], boxes[b + 3]) - Math.max(boxes[a + 1], boxes[b + 1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  const union = area(boxes, a) + area(boxes, b) - shared;
  return union > 0 ? shared / union : 0;
}

function area(boxes, at) {
  return Math.max(boxes[at + 2] - boxes[at], 0) * Math.max(boxes[at + 3] - boxes[at + 1], 0);
}

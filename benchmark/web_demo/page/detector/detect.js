/** A network's outputs for one image -> faces. Does what `detect` of `model/geometry/boxes.py` does. */

import { nms } from "./nms.js";
import { joined } from "./outputs.js";

/**
 * @param {Map<string, {data: Float32Array, shape: number[]}>} outputs real numbers by the output's name
 * @param {object} spec limits of the suppression, names of the outputs
 * @param {object} decoder of the spec, see `decoders/index.js`
 * @param {number} threshold only faces with a greater score
 * @param {number} scale of the letterbox; 1 leaves pixels of the input
 * @returns {{box: number[], score: number, landmarks: number[][]}[]} best score first: x_min, y_min, x_max, y_max and
 *     (x, y) of each point, in pixels of the image (not clipped)
 * @throws {Problem} an output contradicts the spec
 */
export function detect(outputs, spec, decoder, threshold, scale) {
  const { boxes, scores, landmarks } = joined(outputs, spec);
  const faces = decoder.faces(scores);
  const candidates = best(faces, threshold).slice(0, spec.pre_nms_top_k);
  const decoded = new Float32Array(4 * candidates.length);
  candidates.forEach((candidate, slot) => decoded.set(decoder.box(row(boxes, candidate), candidate), 4 * slot));
  const back = Math.fround(1 / scale);
  return nms(decoded, spec.nms_iou, spec.max_detections).map((slot) => {
    const box = decoded.subarray(4 * slot, 4 * slot + 4);
    const points = decoder.landmarks(row(landmarks, candidates[slot]), candidates[slot], box);
    return { box: Array.from(box, (value) => value * back), score: faces[candidates[slot]], landmarks: pairs(points, back) };
  });
}

/** Numbers of the candidates above the threshold, best first; among equal scores the lower number, as in Python. */
function best(faces, threshold) {
  const limit = Math.fround(threshold);
  const found = [];
  for (let candidate = 0; candidate < faces.length; candidate++) {
    if (faces[candidate] > limit) found.push(candidate);
  }
  return found.sort((a, b) => faces[b] - faces[a]);
}

function row(matrix, index) {
  return matrix.data.subarray(index * matrix.columns, (index + 1) * matrix.columns);
}

function pairs(points, factor) {
  return Array.from({ length: points.length / 2 }, (_, point) => [points[2 * point] * factor, points[2 * point + 1] * factor]);
}

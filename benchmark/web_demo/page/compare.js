/** What changed between two models' faces in one image. */

import { overlap } from "./detector/nms.js";

/** Faces that overlap by this much are one face. */
const SAME = 0.5;

/**
 * @param {{box: number[]}[]} reference
 * @param {{box: number[]}[]} candidate
 * @returns {{lost: number, gained: number, iou: ?number}} faces of the reference without a partner, of the candidate
 *     without one, and the mean overlap of the pairs (null without pairs); pairs are made greedily, best overlap first
 */
export function compared(reference, candidate) {
  const boxes = Float32Array.from([...reference, ...candidate].flatMap(({ box }) => box));
  const all = reference.flatMap((_, first) => candidate.map((_, second) => ({ first, second, iou: overlap(boxes, first, reference.length + second) })));
  const pairs = [];
  for (const pair of all.filter(({ iou }) => iou >= SAME).sort((a, b) => b.iou - a.iou)) {
    if (!pairs.some(({ first, second }) => first === pair.first || second === pair.second)) pairs.push(pair);
  }
  return {
    lost: reference.length - pairs.length,
    gained: candidate.length - pairs.length,
    iou: pairs.length ? pairs.reduce((sum, { iou }) => sum + iou, 0) / pairs.length : null,
  };
}

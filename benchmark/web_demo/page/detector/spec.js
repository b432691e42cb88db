/**
 * What a page must know to feed a detector and to read its outputs, as `model/geometry/spec.py` defines it.
 *
 * Nothing about a model is written into this page: sizes, anchors, decoder and thresholds come from here.
 */

import { Problem } from "./problem.js";

/** Fields without which a model cannot be fed or read: a default of ours could contradict the model. */
const NEEDED = [
  "network", "input_height", "input_width", "pad_rgb", "strides", "anchor_sizes", "variances",
  "score_channels", "output_names", "score_threshold", "nms_iou", "pre_nms_top_k", "max_detections",
];
/** Fields that came later, with what a file without them means. */
const LATER = {
  decoder: "anchor_offsets", points: 5,
  boxes_from: [], scores_from: [], landmarks_from: [], objectness_from: [], classes: [], rows: 0,
};
const MAX_SIDE = 4096;

/**
 * Read a spec from the JSON of `DetectorSpec.to_json()`; its fields keep their names.
 *
 * @param {string} text JSON
 * @returns {object} the spec, frozen, with `anchor_count` (N, candidates of all levels)
 * @throws {Problem} no JSON, a field is missing, or a value is out of range
 */
export function readSpec(text) {
  const value = parsed(text);
  const missing = NEEDED.filter((name) => value[name] === undefined);
  if (missing.length) throw new Problem(`missing field(s) in the detector spec: ${missing.join(", ")}`);
  const spec = { ...LATER, ...value };
  check(spec);
  spec.anchor_count = spec.rows || spec.strides.reduce((sum, stride, level) => sum + cellsOf(spec, stride) * spec.anchor_sizes[level].length, 0);
  return Object.freeze(spec);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(`the detector spec is no JSON: ${error.message}`);
  }
}

function check(spec) {
  const step = Math.max(0, ...spec.strides);
  for (const side of [spec.input_height, spec.input_width]) {
    if (step < 1 || !(side > 0 && side <= MAX_SIDE) || side % step) {
      throw new Problem(`an input side must be a multiple of ${step} up to ${MAX_SIDE}, found ${side}`);
    }
  }
  if (spec.classes.length) throw new Problem(`this page shows detectors of one class; the model names its score columns: ${spec.classes.join(", ")}`);
  if (spec.objectness_from.length && spec.decoder.split(":")[0] !== "cell_sizes") {
    throw new Problem(`this page reads an objectness for cell_sizes only; the model's decoder is ${spec.decoder}`);
  }
  if (spec.strides.length !== spec.anchor_sizes.length) {
    throw new Problem(`${spec.strides.length} strides but anchor sizes for ${spec.anchor_sizes.length} levels`);
  }
}

function cellsOf(spec, stride) {
  return Math.floor(spec.input_height / stride) * Math.floor(spec.input_width / stride);
}

/**
 * A map of face centres: a cell that is no peak of its 3x3 neighbourhood is no face. CenterNet, CenterFace.
 *
 * Boxes are (offset y, offset x, log height, log width) of the cell's corner and stride in CenterFace ("yx_logarithm"),
 * (offset x, offset y, width, height) in cells in CenterNet ("xy_plain").
 * Source: CenterNet (Zhou et al., 2019), section 4; CenterFace (Xu et al., 2020; its published decoder).
 */

import { MAX_LOG_SIZE, around, cells } from "../cells.js";

export const variants = ["yx_logarithm", "xy_plain"];

export function create(spec, variant) {
  const corners = cells(spec);
  const isCenterFace = variant === "yx_logarithm";
  const sized = (value, stride) => (Math.exp(Math.min(value, MAX_LOG_SIZE)) * stride) / 2;
  return {
    faces: (scores) => peaks(scores, spec),
    box(row, candidate) {
      const { x, y, stride } = corners[candidate];
      if (!isCenterFace) return around(x + row[0] * stride, y + row[1] * stride, (row[2] * stride) / 2, (row[3] * stride) / 2);
      return around(x + (row[1] + 0.5) * stride, y + (row[0] + 0.5) * stride, sized(row[3], stride), sized(row[2], stride));
    },
    landmarks(row, candidate, box) {
      const { x, y, stride } = corners[candidate];
      if (!isCenterFace) return Array.from(row, (value, index) => (index % 2 ? y : x) + value * stride);
      // CenterFace counts from the box's corner in shares of the box, y before x.
      const inside = (share, axis) => box[axis] + share * (box[axis + 2] - box[axis]);
      return Array.from(row, (_, index) => (index % 2 ? inside(row[index - 1], 1) : inside(row[index + 1], 0)));
    },
  };
}

/** The map's peaks; 0 elsewhere. */
function peaks(scores, spec) {
  const kept = new Float32Array(scores.rows);
  let start = 0;
  spec.strides.forEach((stride, level) => {
    const depth = spec.anchor_sizes[level].length;
    const [height, width] = [Math.floor(spec.input_height / stride), Math.floor(spec.input_width / stride)];
    const at = (y, x, anchor) => scores.data[(start + (y * width + x) * depth + anchor + 1) * scores.columns - 1];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let anchor = 0; anchor < depth; anchor++) {
          if (isPeak(at, y, x, anchor, height, width)) kept[start + (y * width + x) * depth + anchor] = at(y, x, anchor);
        }
      }
    }
    start += height * width * depth;
  });
  return kept;
}

function isPeak(at, y, x, anchor, height, width) {
  for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
    for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
      if (at(row, column, anchor) > at(y, x, anchor)) return false;
    }
  }
  return true;
}

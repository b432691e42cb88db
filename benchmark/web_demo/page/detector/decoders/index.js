/**
 * From a network's rows of numbers to boxes, a file a way of coding: a new decoder is a new file here.
 *
 * A file exports `variants` (what may stand behind the colon; the first is meant where nothing does) and
 * `create(spec, variant)`, which returns
 *   faces(scores: Matrix) -> Float32Array [N], probability of a face
 *   box(row [4], candidate) -> [x_min, y_min, x_max, y_max] in pixels of the input
 *   landmarks(row [2 P], candidate, box) -> [2 P] x and y of each point, in pixels of the input
 *
 * Source: `model/geometry/decoders`, which the tests hold these files against.
 */

import { Problem } from "../problem.js";

/**
 * @param {object} spec names the decoder: "NAME" or "NAME:VARIANT"
 * @returns {Promise<object>} faces, box, landmarks
 * @throws {Problem} this page has no such decoder, or it has no such variant
 */
export async function decoderOf(spec) {
  const [name, variant] = spec.decoder.split(":");
  const { variants, create } = await moduleOf(name);
  if (variant && !variants.includes(variant)) {
    throw new Problem(`decoder ${name} has no variant '${variant}': expected one of ${variants.join(", ")}`);
  }
  return create(spec, variant || variants[0]);
}

async function moduleOf(name) {
  const unknown = new Problem(`this page cannot decode '${name}': it has no file for it in detector/decoders`);
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name === "index") throw unknown;
  try {
    return await import(`./${name}.js`);
  } catch {
    throw unknown;
  }
}

package org.featherface.demo.ui

import org.featherface.demo.detector.FaceChanges

/**
 * What a model and its float twin find in one image.
 *
 * @property models the candidate's file name and the reference's
 */
class Comparison(
    val models: Pair<String, String>,
    val candidate: FrameResult,
    val reference: FrameResult,
) {
    val changes = FaceChanges.of(candidate.faces, reference.faces)
}

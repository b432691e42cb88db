package org.featherface.demo.detector

import kotlin.math.abs

/**
 * Which faces two models find in the same image: pairs that overlap by half at least, greatest overlap first.
 *
 * Source: `compare_faces` of `model/evaluation/face_changes.py`.
 *
 * @property same faces that both find
 * @property onlyCandidate faces that only the candidate finds, as [onlyReference]
 * @property scoreChange the largest difference between the two scores of a face, 0..1
 */
data class FaceChanges(
    val same: Int,
    val onlyCandidate: Int,
    val onlyReference: Int,
    val scoreChange: Float,
) {
    /** Of both images. */
    operator fun plus(other: FaceChanges): FaceChanges =
        FaceChanges(
            same + other.same,
            onlyCandidate + other.onlyCandidate,
            onlyReference + other.onlyReference,
            maxOf(scoreChange, other.scoreChange),
        )

    companion object {
        private const val SAME_FACE_IOU = 0.5f

        /** Compare the faces of [candidate] with those of [reference], both in pixels of the image. */
        fun of(
            candidate: Detections,
            reference: Detections,
        ): FaceChanges {
            val pairs =
                (0 until candidate.count)
                    .flatMap { one -> (0 until reference.count).map { one to it } }
                    .map { it to Nms.overlap(candidate.boxes, 4 * it.first, reference.boxes, 4 * it.second) }
                    .filter { it.second >= SAME_FACE_IOU }
                    .sortedByDescending { it.second }
            val paired = mutableMapOf<Int, Int>()
            for ((pair) in pairs) if (pair.first !in paired && pair.second !in paired.values) paired += pair
            val change = paired.maxOfOrNull { (one, other) -> abs(candidate.scores[one] - reference.scores[other]) }
            return FaceChanges(paired.size, candidate.count - paired.size, reference.count - paired.size, change ?: 0f)
        }
    }
}

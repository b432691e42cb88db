package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows
import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/**
 * Centre as an offset from the cell's corner, size as an exponent, both in strides; a score from two.
 *
 * Scores are (objectness, class): YuNet takes their geometric mean, YOLOX their product. A single channel is the score itself.
 *
 * Source: YuNet (Wu et al., 2023; OpenCV's FaceDetectorYN), YOLOX (Ge et al., 2021; `decode_outputs`).
 */
class CellSizes private constructor(
    spec: DetectorSpec,
    private val isGeometric: Boolean,
) : Decoder {
    private val cells = Cells(spec)

    override fun score(
        scores: Rows,
        candidate: Int,
    ): Float {
        if (scores.channels == 1) return scores[candidate, 0]
        var best = scores[candidate, 1]
        for (channel in 2 until scores.channels) best = max(best, scores[candidate, channel])
        val product = scores[candidate, 0].coerceIn(0f, 1f) * best.coerceIn(0f, 1f)
        return if (isGeometric) sqrt(product) else product
    }

    override fun decodeBox(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    ) {
        val stride = cells.stride(candidate)
        for (axis in 0..1) {
            val centre = cells.point(candidate, axis) + rows[candidate, axis] * stride
            val half = exp(min(rows[candidate, 2 + axis], MAX_LOG_SIZE)) * stride / 2
            target[at + axis] = centre - half
            target[at + 2 + axis] = centre + half
        }
    }

    override fun decodeLandmarks(
        rows: Rows,
        candidate: Int,
        boxes: FloatArray,
        boxAt: Int,
        target: FloatArray,
        at: Int,
    ) = cells.decodeLandmarks(rows, candidate, target, at)

    companion object {
        val KIND = DecoderKind(listOf("geometric", "product")) { spec, variant -> CellSizes(spec, variant == "geometric") }
    }
}

package org.featherface.demo.detector

import kotlin.math.exp
import kotlin.math.min

/**
 * Turns a network's raw outputs into boxes and landmarks in pixels of its input. Not safe for two threads at once.
 *
 * Does what `model/geometry/boxes.py` does, operation for operation in float32, so that both give the same faces.
 */
class BoxDecoder(
    private val spec: DetectorSpec,
) {
    private val anchors = Anchors.of(spec)
    private var checked: RawOutputs? = null
    private val order = LongArray(spec.anchorCount)
    private val result = Candidates(spec.anchorCount)

    /**
     * Decode the boxes whose score is greater than [scoreThreshold], best first, at most the spec's `pre_nms_top_k`.
     *
     * @return an object that the next call overwrites
     * @throws DetectorException a shape contradicts the spec or an output is not finite
     */
    fun decode(
        outputs: RawOutputs,
        scoreThreshold: Float = spec.scoreThreshold,
    ): Candidates {
        check(outputs)
        val found = collect(outputs.scores, scoreThreshold)
        // Ascending keys: the best score first, and the lower index first among equal scores, as in Python.
        order.sort(0, found)
        result.count = min(found, spec.preNmsTopK)
        for (slot in 0 until result.count) {
            val anchor = order[slot].toInt()
            result.anchorIndices[slot] = anchor
            result.scores[slot] = score(outputs.scores, anchor)
            decodeBox(outputs.boxes, anchor, slot)
        }
        return result
    }

    /**
     * Decode the landmarks of the candidate in [slot] into [target] from [offset] on: five times x and y.
     *
     * Source: RetinaFace (Deng et al., 2019); the variances as in SSD.
     */
    fun decodeLandmarks(
        outputs: RawOutputs,
        slot: Int,
        target: FloatArray,
        offset: Int,
    ) {
        val anchor = result.anchorIndices[slot]
        val side = anchors[3 * anchor + 2]
        for (value in 0 until 10) {
            val centre = anchors[3 * anchor + value % 2]
            target[offset + value] = centre + outputs.landmarks[10 * anchor + value] * spec.variances[0] * side
        }
    }

    private fun collect(
        scores: RawTensor,
        threshold: Float,
    ): Int {
        var found = 0
        for (anchor in 0 until spec.anchorCount) {
            val score = score(scores, anchor)
            if (score > threshold) {
                // Positive floats sort as their bits do.
                order[found++] = ((Int.MAX_VALUE - score.toRawBits()).toLong() shl 32) or anchor.toLong()
            }
        }
        return found
    }

    private fun score(
        scores: RawTensor,
        anchor: Int,
    ) = scores[anchor * spec.scoreChannels + spec.scoreChannels - 1]

    /** Source: SSD (Liu et al., 2016), section 2.2, with the variances of its published code. */
    private fun decodeBox(
        offsets: RawTensor,
        anchor: Int,
        slot: Int,
    ) {
        val side = anchors[3 * anchor + 2]
        for (axis in 0..1) {
            val centre = anchors[3 * anchor + axis] + offsets[4 * anchor + axis] * spec.variances[0] * side
            val size = side * exp(min(offsets[4 * anchor + 2 + axis] * spec.variances[1], MAX_LOG_SIZE))
            result.boxes[4 * slot + axis] = centre - size / 2
            result.boxes[4 * slot + 2 + axis] = centre + size / 2
        }
    }

    private fun check(outputs: RawOutputs) {
        // The runtime hands out the same tensors again and again; comparing shapes allocates.
        if (outputs !== checked) checkShapes(outputs)
        checked = outputs
        for (index in 0 until OUTPUTS) {
            if (!outputs.all[index].isFinite()) throw DetectorException("output ${spec.outputNames[index]} holds NaN or infinite values")
        }
    }

    private fun checkShapes(outputs: RawOutputs) {
        for ((index, expected) in spec.outputShapes.withIndex()) {
            val found = outputs.all[index].info.shape
            if (found != expected) throw DetectorException("output ${spec.outputNames[index]}: the spec expects $expected, found $found")
        }
    }

    private companion object {
        /** Largest exponent of a decoded size: e^8 times the anchor is larger than any image, and finite. */
        const val MAX_LOG_SIZE = 8f

        /** Boxes, scores, landmarks. */
        const val OUTPUTS = 3
    }
}

package org.featherface.demo.detector

import org.featherface.demo.detector.decoders.Decoders
import kotlin.math.min

/**
 * Turns a network's raw outputs into boxes and landmarks in pixels of its input. Not safe for two threads at once.
 *
 * Does what `model/geometry/boxes.py` does, operation for operation in float32, so that both give the same faces.
 */
class BoxDecoder(
    private val spec: DetectorSpec,
) {
    private val decoder = Decoders.of(spec)
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
            result.scores[slot] = decoder.score(outputs.scores, anchor)
            decoder.decodeBox(outputs.boxes, anchor, result.boxes, 4 * slot)
        }
        return result
    }

    /** Decode the landmarks of the candidate in [slot] into [target] from [offset] on: x and y of each of the spec's points. */
    fun decodeLandmarks(
        outputs: RawOutputs,
        slot: Int,
        target: FloatArray,
        offset: Int,
    ) = decoder.decodeLandmarks(outputs.landmarks, result.anchorIndices[slot], result.boxes, 4 * slot, target, offset)

    private fun collect(
        scores: Rows,
        threshold: Float,
    ): Int {
        var found = 0
        for (anchor in 0 until spec.anchorCount) {
            val score = decoder.score(scores, anchor)
            if (score > threshold) {
                // Positive floats sort as their bits do.
                order[found++] = ((Int.MAX_VALUE - score.toRawBits()).toLong() shl 32) or anchor.toLong()
            }
        }
        return found
    }

    private fun check(outputs: RawOutputs) {
        // The runtime hands out the same tensors again and again; comparing shapes allocates.
        if (outputs !== checked) Signature.checkOutputs(spec, outputs)
        checked = outputs
        checkFinite(outputs.boxes, 0)
        checkFinite(outputs.scores, 1)
        checkFinite(outputs.landmarks, 2)
    }

    private fun checkFinite(
        rows: Rows,
        index: Int,
    ) {
        if (!rows.isFinite()) throw DetectorException("output ${spec.outputNames[index]} holds NaN or infinite values")
    }
}

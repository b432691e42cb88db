package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows
import kotlin.math.exp
import kotlin.math.min

/**
 * Offsets from square anchors in units of their side: SSD, RetinaFace, Ultra-Light, BlazeFace.
 *
 * @param isPlain sizes are coded like centres, not as logarithms (BlazeFace)
 *
 * Source: SSD (Liu et al., 2016), section 2.2, with the variances of its published code; RetinaFace (Deng et al., 2019).
 */
class AnchorOffsets private constructor(
    private val spec: DetectorSpec,
    private val isPlain: Boolean,
) : Decoder {
    private val cells = Cells(spec, inset = 0.5f)
    private val sides = sidesOf(spec)

    override fun decodeBox(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    ) {
        val side = sides[candidate]
        for (axis in 0..1) {
            val centre = cells.point(candidate, axis) + rows[candidate, axis] * spec.variances[0] * side
            val offset = rows[candidate, 2 + axis] * spec.variances[1]
            val size = if (isPlain) offset * side else side * exp(min(offset, MAX_LOG_SIZE))
            target[at + axis] = centre - size / 2
            target[at + 2 + axis] = centre + size / 2
        }
    }

    override fun decodeLandmarks(
        rows: Rows,
        candidate: Int,
        boxes: FloatArray,
        boxAt: Int,
        target: FloatArray,
        at: Int,
    ) {
        val side = sides[candidate]
        for (value in 0 until rows.channels) {
            target[at + value] = cells.point(candidate, value % 2) + rows[candidate, value] * spec.variances[0] * side
        }
    }

    companion object {
        /** `[N]`: the sides of the anchors in pixels, those of a cell fastest. */
        private fun sidesOf(spec: DetectorSpec): FloatArray {
            val sides = FloatArray(spec.anchorCount)
            var next = 0
            spec.forEachCell { level, _, _ -> for (side in spec.anchorSizes[level]) sides[next++] = side.toFloat() }
            return sides
        }

        val KIND = DecoderKind(listOf("logarithm", "plain")) { spec, variant -> AnchorOffsets(spec, variant == "plain") }
    }
}

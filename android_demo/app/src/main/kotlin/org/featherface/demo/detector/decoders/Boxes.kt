package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows
import kotlin.math.max

/**
 * Boxes that the network has decoded already, in pixels of its input or as shares of it, and landmarks in the same unit.
 *
 * The face's score is the best of the score channels.
 *
 * @param isCorners (x_min, y_min, x_max, y_max); else (x, y, width, height) with the centre's x and y
 * @param units what one unit of x and of y is in pixels
 *
 * Source: Ultralytics' exported detection head, `[1, 4 + C, N]`.
 */
class Boxes private constructor(
    private val isCorners: Boolean,
    private val units: FloatArray,
) : Decoder {
    override fun score(
        scores: Rows,
        candidate: Int,
    ): Float {
        var best = scores[candidate, 0]
        for (channel in 1 until scores.channels) best = max(best, scores[candidate, channel])
        return best
    }

    override fun decodeBox(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    ) {
        for (axis in 0..1) {
            val first = rows[candidate, axis] * units[axis]
            val second = rows[candidate, 2 + axis] * units[axis]
            target[at + axis] = if (isCorners) first else first - second / 2
            target[at + 2 + axis] = if (isCorners) second else first + second / 2
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
        for (value in 0 until rows.channels) target[at + value] = rows[candidate, value] * units[value % 2]
    }

    companion object {
        val KIND =
            DecoderKind(listOf("centre_size", "corners", "centre_size_shares", "corners_shares")) { spec, variant ->
                val shares = variant.endsWith("_shares")
                val units = if (shares) listOf(spec.inputWidth, spec.inputHeight) else listOf(1, 1)
                Boxes(variant.startsWith("corners"), FloatArray(2) { units[it].toFloat() })
            }
    }
}

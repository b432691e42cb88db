package org.featherface.demo.detector

import kotlin.math.floor
import kotlin.math.roundToInt

/**
 * For each pixel of a resized line: the two source pixels it lies between and their weights (sum [ONE]).
 *
 * Source: OpenCV's `resize` with `INTER_LINEAR` on 8-bit images (pixel centres, 11-bit weights), which prepares the
 * images in Python: the network must see the same pixels here.
 *
 * @param source length of the source line in pixels
 * @param target length of the resized line in pixels
 */
class ResizeTaps(
    source: Int,
    target: Int,
) {
    /** `[target]`: the source pixel before, and in [second] the one after. */
    val first = IntArray(target)
    val second = IntArray(target)

    /** `[target]`: weight of [first]. */
    val firstWeight = IntArray(target)

    /** `[target]`: weight of [second]. */
    val secondWeight = IntArray(target)

    init {
        val step = source.toDouble() / target
        for (pixel in 0 until target) {
            val position = ((pixel + 0.5) * step - 0.5).toFloat()
            var before = floor(position).toInt()
            var share = position - before
            if (before < 0 || before >= source - 1) {
                before = before.coerceIn(0, source - 1)
                share = 0f
            }
            first[pixel] = before
            second[pixel] = minOf(before + 1, source - 1)
            firstWeight[pixel] = ((1f - share) * ONE).roundToInt()
            secondWeight[pixel] = (share * ONE).roundToInt()
        }
    }

    companion object {
        /** The weight of a whole pixel. */
        const val ONE = 2048
    }
}

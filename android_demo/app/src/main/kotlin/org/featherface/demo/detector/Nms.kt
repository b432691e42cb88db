package org.featherface.demo.detector

import kotlin.math.max
import kotlin.math.min

/**
 * Greedy non-maximum suppression with reused buffers. Not safe for two threads at once.
 *
 * @param capacity most candidates a frame can hold
 * @param iou a box that overlaps a kept one by more than this is dropped
 * @param keep at most this many boxes are kept
 */
class Nms(
    capacity: Int,
    private val iou: Float,
    private val keep: Int,
) {
    private val dropped = BooleanArray(capacity)

    /** Slots of the kept candidates, best score first; the first ones of it, as many as [suppress] returned. */
    val kept = IntArray(min(capacity, keep))

    /**
     * Fill [kept].
     *
     * @param boxes `[count, 4]` x_min, y_min, x_max, y_max in pixels, best score first
     * @return how many were kept
     */
    fun suppress(
        boxes: FloatArray,
        count: Int,
    ): Int {
        dropped.fill(false, 0, count)
        var found = 0
        for (best in 0 until count) {
            if (dropped[best]) continue
            if (found == keep) break
            kept[found++] = best
            for (other in best + 1 until count) {
                if (!dropped[other] && overlap(boxes, 4 * best, boxes, 4 * other) > iou) dropped[other] = true
            }
        }
        return found
    }

    companion object {
        /** Intersection over union of the box at [a] of [boxes] and the one at [b] of [others]; 0 where both are empty. */
        fun overlap(
            boxes: FloatArray,
            a: Int,
            others: FloatArray,
            b: Int,
        ): Float {
            val width = max(min(boxes[a + 2], others[b + 2]) - max(boxes[a], others[b]), 0f)
            val height = max(min(boxes[a + 3], others[b + 3]) - max(boxes[a + 1], others[b + 1]), 0f)
            val shared = width * height
            val union = area(boxes, a) + area(others, b) - shared
            return if (union > 0) shared / union else 0f
        }

        private fun area(
            boxes: FloatArray,
            at: Int,
        ) = max(boxes[at + 2] - boxes[at], 0f) * max(boxes[at + 3] - boxes[at + 1], 0f)
    }
}

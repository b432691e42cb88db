package org.featherface.demo.detector

import kotlin.math.abs
import kotlin.math.max

/**
 * Calms the boxes of a running camera: a face that hardly moves is shown between where it was and where it is, one that moves
 * where it is. None is shown before its first frame or after its last. Allocates nothing per frame; not safe for two threads at once.
 *
 * Source: the 1 € filter (Casiez, Roussel, Vogel: CHI 2012), which smooths less the faster something moves; here in units of the face.
 */
class FaceSmoother {
    private var last = Detections(0)
    private var taken = BooleanArray(0)

    /** Forget the last frame, for another camera or model. */
    fun clear() {
        last.count = 0
    }

    /** Smooth the faces of a frame, in pixels of the upright image, in place. */
    fun smooth(found: Detections) {
        if (last.capacity < found.capacity || last.points != found.points) renew(found)
        taken.fill(false, 0, last.count)
        for (face in 0 until found.count) {
            val before = sameFace(found, face)
            if (before < 0) continue
            taken[before] = true
            val weight = weightOf(found, face, before)
            mix(last.boxes, found.boxes, before, face, 4, weight)
            mix(last.landmarks, found.landmarks, before, face, 2 * found.points, weight)
            mix(last.scores, found.scores, before, face, 1, weight)
        }
        last.copyFrom(found)
    }

    private fun renew(found: Detections) {
        last = Detections(found.capacity, found.points)
        taken = BooleanArray(found.capacity)
    }

    /** The face of the last frame that overlaps [face] most and belongs to no other, or -1. */
    private fun sameFace(
        found: Detections,
        face: Int,
    ): Int {
        var best = -1
        var most = SAME
        for (index in 0 until last.count) {
            if (taken[index]) continue
            val overlap = Nms.overlap(found.boxes, 4 * face, last.boxes, 4 * index)
            if (overlap <= most) continue
            best = index
            most = overlap
        }
        return best
    }

    /** How much the new place counts: [STILL] of a face at rest, 1 of one that moved by [MOVED] of its size. */
    private fun weightOf(
        found: Detections,
        face: Int,
        before: Int,
    ): Float {
        val at = 4 * face
        var moved = 0f
        for (edge in 0..3) moved = max(moved, abs(found.boxes[at + edge] - last.boxes[4 * before + edge]))
        val size = max(found.boxes[at + 2] - found.boxes[at], found.boxes[at + 3] - found.boxes[at + 1])
        return (STILL + (1 - STILL) * moved / (MOVED * size)).coerceIn(STILL, 1f)
    }

    private fun mix(
        from: FloatArray,
        to: FloatArray,
        before: Int,
        face: Int,
        values: Int,
        weight: Float,
    ) {
        for (index in 0 until values) {
            val at = values * face + index
            to[at] = from[values * before + index] * (1 - weight) + to[at] * weight
        }
    }

    private companion object {
        /** Boxes that overlap less are of two faces. */
        const val SAME = 0.4f

        const val STILL = 0.3f
        const val MOVED = 0.1f
    }
}

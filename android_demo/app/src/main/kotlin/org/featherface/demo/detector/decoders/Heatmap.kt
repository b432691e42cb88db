package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows
import kotlin.math.exp
import kotlin.math.min

/**
 * A map of face centres: a cell that is no peak of its 3x3 neighbourhood is no face. CenterNet, CenterFace.
 *
 * @param isCenterFace rows are (offset y, offset x, log height, log width) of the cell's corner and stride, landmarks shares of the box;
 *   else (offset x, offset y, width, height) in cells, and landmarks from the cell
 *
 * Source: CenterNet (Zhou et al., 2019), section 4; CenterFace (Xu et al., 2020; its published decoder).
 */
class Heatmap private constructor(
    spec: DetectorSpec,
    private val isCenterFace: Boolean,
) : Decoder {
    private val cells = Cells(spec)
    private val levels = spec.strides.indices.map { Level(spec, it) }

    /** Where a level's candidates begin, and how they lie. */
    private class Level(
        spec: DetectorSpec,
        level: Int,
    ) {
        val height = spec.inputHeight / spec.strides[level]
        val width = spec.inputWidth / spec.strides[level]
        val depth = spec.anchorSizes[level].size
        val size = height * width * depth
    }

    /** The map's value at a peak, 0 elsewhere. */
    override fun score(
        scores: Rows,
        candidate: Int,
    ): Float {
        val channel = scores.channels - 1
        val value = scores[candidate, channel]
        var start = 0
        var number = 0
        while (candidate >= start + levels[number].size) start += levels[number++].size
        val level = levels[number]
        val cell = (candidate - start) / level.depth
        for (row in cell / level.width - 1..cell / level.width + 1) {
            for (column in cell % level.width - 1..cell % level.width + 1) {
                if (row !in 0 until level.height || column !in 0 until level.width) continue
                val other = start + (row * level.width + column) * level.depth + (candidate - start) % level.depth
                if (scores[other, channel] > value) return 0f
            }
        }
        return value
    }

    override fun decodeBox(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    ) {
        val stride = cells.stride(candidate)
        for (axis in 0..1) {
            val offset = if (isCenterFace) rows[candidate, 1 - axis] + 0.5f else rows[candidate, axis]
            val size = if (isCenterFace) exp(min(rows[candidate, 3 - axis], MAX_LOG_SIZE)) else rows[candidate, 2 + axis]
            val centre = cells.point(candidate, axis) + offset * stride
            target[at + axis] = centre - size * stride / 2
            target[at + 2 + axis] = centre + size * stride / 2
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
        if (!isCenterFace) return cells.decodeLandmarks(rows, candidate, target, at)
        for (value in 0 until rows.channels) {
            val axis = value % 2
            val corner = boxes[boxAt + axis]
            // Written as y and x.
            val share = rows[candidate, value + 1 - 2 * axis]
            target[at + value] = corner + share * (boxes[boxAt + 2 + axis] - corner)
        }
    }

    companion object {
        val KIND = DecoderKind(listOf("yx_logarithm", "xy_plain")) { spec, variant -> Heatmap(spec, variant == "yx_logarithm") }
    }
}

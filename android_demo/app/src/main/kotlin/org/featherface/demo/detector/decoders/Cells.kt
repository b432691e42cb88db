package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows

/**
 * The cells of all levels, for decoders that count from a cell.
 *
 * @param inset where in a cell its point is, in strides from the corner
 */
internal class Cells(
    spec: DetectorSpec,
    inset: Float = 0f,
) {
    private val points = FloatArray(2 * spec.anchorCount)
    private val strides = FloatArray(spec.anchorCount)

    init {
        var next = 0
        spec.forEachCell { level, row, column ->
            val stride = spec.strides[level].toFloat()
            repeat(spec.anchorSizes[level].size) {
                points[2 * next] = column * stride + inset * stride
                points[2 * next + 1] = row * stride + inset * stride
                strides[next++] = stride
            }
        }
    }

    /** The point's x (0) or y (1) in pixels of the network's input. */
    fun point(
        candidate: Int,
        axis: Int,
    ) = points[2 * candidate + axis]

    /** Side of the cell in pixels. */
    fun stride(candidate: Int) = strides[candidate]

    /** Write landmarks that are given from the point, in strides. */
    fun decodeLandmarks(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    ) {
        for (value in 0 until rows.channels) {
            target[at + value] = point(candidate, value % 2) + rows[candidate, value] * stride(candidate)
        }
    }
}

package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows

/**
 * Distances from a point of the cell to the four sides, in strides: SCRFD (corner), FCOS (centre).
 *
 * Source: SCRFD (Guo et al., 2021; its published `distance2bbox`), FCOS (Tian et al., 2019), equation 1.
 */
class CellDistances private constructor(
    spec: DetectorSpec,
    inset: Float,
) : Decoder {
    private val cells = Cells(spec, inset)

    override fun decodeBox(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    ) {
        val stride = cells.stride(candidate)
        for (axis in 0..1) {
            target[at + axis] = cells.point(candidate, axis) - rows[candidate, axis] * stride
            target[at + 2 + axis] = cells.point(candidate, axis) + rows[candidate, 2 + axis] * stride
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
        val KIND = DecoderKind(listOf("corner", "centre")) { spec, variant -> CellDistances(spec, if (variant == "centre") 0.5f else 0f) }
    }
}

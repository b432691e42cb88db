package org.featherface.demo.detector

/** Anchor boxes of a detector. */
object Anchors {
    /**
     * All anchors: levels in the order of the strides, cells row by row, sizes fastest.
     *
     * @return `[N, 3]`: centre x, centre y and side, in pixels of the network's input
     *
     * Source: `model/geometry/anchors.py` (RetinaFace's PriorBox without its division by the input size).
     */
    fun of(spec: DetectorSpec): FloatArray {
        val anchors = FloatArray(3 * spec.anchorCount)
        var next = 0
        spec.forEachCell { level, row, column ->
            val stride = spec.strides[level]
            for (size in spec.anchorSizes[level]) {
                anchors[next++] = (column + 0.5f) * stride
                anchors[next++] = (row + 0.5f) * stride
                anchors[next++] = size.toFloat()
            }
        }
        return anchors
    }
}

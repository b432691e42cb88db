package org.featherface.demo.detector

/**
 * Decoded boxes that wait for suppression, best score first; the arrays are reused from frame to frame.
 *
 * @param capacity N of the model: no frame can hold more
 */
class Candidates(
    capacity: Int,
) {
    var count = 0

    /** `[capacity]`: which anchor each candidate came from. */
    val anchorIndices = IntArray(capacity)

    /** `[capacity]`: probability of a face, descending. */
    val scores = FloatArray(capacity)

    /** `[capacity, 4]`: x_min, y_min, x_max, y_max in pixels of the network's input. */
    val boxes = FloatArray(4 * capacity)
}

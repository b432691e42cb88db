package org.featherface.demo.detector

/**
 * Faces in one image, best score first, in arrays that are reused from frame to frame.
 *
 * Only the first [count] entries count. Coordinates are pixels, of the network's input or of the image, as the
 * producing function says.
 */
class Detections(
    val capacity: Int,
) {
    var count = 0

    /** `[capacity, 4]`: x_min, y_min, x_max, y_max. */
    val boxes = FloatArray(4 * capacity)

    /** `[capacity]`: probability of a face. */
    val scores = FloatArray(capacity)

    /** `[capacity, 10]`: x and y of left eye, right eye, nose, left and right mouth corner, as they appear in the image. */
    val landmarks = FloatArray(10 * capacity)

    /** Multiply all coordinates by [factor]. */
    fun scaleBy(factor: Float) {
        for (index in 0 until 4 * count) boxes[index] *= factor
        for (index in 0 until 10 * count) landmarks[index] *= factor
    }

    /** Take over the entries of [other]; the first [capacity] if it holds more. */
    fun copyFrom(other: Detections) {
        count = minOf(other.count, capacity)
        other.boxes.copyInto(boxes, endIndex = 4 * count)
        other.scores.copyInto(scores, endIndex = count)
        other.landmarks.copyInto(landmarks, endIndex = 10 * count)
    }
}

package org.featherface.demo.detector

/**
 * Faces in one image, best score first, in arrays that are reused from frame to frame.
 *
 * Only the first [count] entries count. Coordinates are pixels, of the network's input or of the image, as the
 * producing function says.
 *
 * @property points landmarks of a face
 */
class Detections(
    val capacity: Int,
    val points: Int = 5,
) {
    var count = 0

    /** `[capacity, 4]`: x_min, y_min, x_max, y_max. */
    val boxes = FloatArray(4 * capacity)

    /** `[capacity]`: probability of a face. */
    val scores = FloatArray(capacity)

    /** `[capacity, 2 points]`: x and y; of five, left eye, right eye, nose, left and right mouth corner, as they appear in the image. */
    val landmarks = FloatArray(2 * points * capacity)

    /** Multiply all coordinates by [factor]. */
    fun scaleBy(factor: Float) {
        for (index in 0 until 4 * count) boxes[index] *= factor
        for (index in 0 until 2 * points * count) landmarks[index] *= factor
    }

    /** Take over the entries of [other], which has as many points; the first [capacity] if it holds more. */
    fun copyFrom(other: Detections) {
        count = minOf(other.count, capacity)
        other.boxes.copyInto(boxes, endIndex = 4 * count)
        other.scores.copyInto(scores, endIndex = count)
        other.landmarks.copyInto(landmarks, endIndex = 2 * points * count)
    }
}

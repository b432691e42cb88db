package org.featherface.demo.detector

import kotlin.math.max
import kotlin.math.min
import kotlin.math.round

/**
 * How an upright image is fitted into a network's input: scaled alike in x and y, at the top left, the rest padded.
 *
 * @property scale pixels of the input = pixels of the image times this
 * @property contentWidth columns of the input that the image covers, as [contentHeight] rows
 *
 * Source: `model/geometry/letterbox.py`.
 */
data class Letterbox(
    val imageWidth: Int,
    val imageHeight: Int,
    val scale: Double,
    val contentWidth: Int,
    val contentHeight: Int,
) {
    /** Carry detections from pixels of the input to pixels of the upright image (not clipped). */
    fun toImage(found: Detections) = found.scaleBy((1.0 / scale).toFloat())

    companion object {
        /** Fit an upright image of [width] x [height] pixels into [spec]'s input. */
        fun of(
            spec: DetectorSpec,
            width: Int,
            height: Int,
        ): Letterbox {
            if (width < 1 || height < 1) throw DetectorException("expected an image with pixels, found $width x $height")
            val scale = min(spec.inputHeight.toDouble() / height, spec.inputWidth.toDouble() / width)
            return Letterbox(width, height, scale, fitted(width * scale), fitted(height * scale))
        }

        // Halves go to the even side, as with round() in Python.
        private fun fitted(side: Double) = max(1, round(side).toInt())
    }
}

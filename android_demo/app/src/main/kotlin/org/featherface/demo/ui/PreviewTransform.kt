package org.featherface.demo.ui

import android.graphics.Matrix
import android.graphics.RectF
import android.view.TextureView

/** Turns the camera's preview with the screen: the system turns it only for the phone's natural orientation. */
object PreviewTransform {
    /**
     * Make the preview fill [view], whose shape must be the upright picture's.
     *
     * @param displayDegrees counter-clockwise turn of the screen's content
     */
    fun apply(
        view: TextureView,
        displayDegrees: Int,
    ) = view.setTransform(matrix(view.width.toFloat(), view.height.toFloat(), displayDegrees))

    /**
     * From a view of [width] x [height] pixels, filled by the picture of the natural orientation, to the same view
     * with the picture upright: its sides exchanged where it lies on its side, then turned back with the screen.
     *
     * Source: Android's Camera2Basic sample, `configureTransform`, without its assumption about the sensor's own turn.
     */
    fun matrix(
        width: Float,
        height: Float,
        displayDegrees: Int,
    ): Matrix {
        val matrix = Matrix()
        if (displayDegrees % 180 != 0) {
            val upright = RectF(0f, 0f, height, width)
            upright.offset((width - height) / 2, (height - width) / 2)
            matrix.setRectToRect(RectF(0f, 0f, width, height), upright, Matrix.ScaleToFit.FILL)
        }
        matrix.postRotate(-displayDegrees.toFloat(), width / 2, height / 2)
        return matrix
    }
}

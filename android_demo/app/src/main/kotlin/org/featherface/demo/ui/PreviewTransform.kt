package org.featherface.demo.ui

import android.graphics.Matrix
import android.graphics.RectF
import android.view.TextureView
import org.featherface.demo.camera.CameraMode

/** Turns the camera's preview with the screen: the system turns it only for the phone's natural orientation. */
object PreviewTransform {
    /**
     * Make the preview fill [view], whose shape must be the upright picture's.
     *
     * @param displayDegrees counter-clockwise turn of the screen's content
     *
     * Source: Android's Camera2Basic sample, `configureTransform`.
     */
    fun apply(
        view: TextureView,
        mode: CameraMode,
        displayDegrees: Int,
    ) {
        val width = view.width.toFloat()
        val height = view.height.toFloat()
        val matrix = Matrix()
        if (displayDegrees % 180 != 0) {
            val buffer = RectF(0f, 0f, mode.size.height.toFloat(), mode.size.width.toFloat())
            buffer.offset(width / 2 - buffer.centerX(), height / 2 - buffer.centerY())
            matrix.setRectToRect(RectF(0f, 0f, width, height), buffer, Matrix.ScaleToFit.FILL)
            val scale = maxOf(height / mode.size.height, width / mode.size.width)
            matrix.postScale(scale, scale, width / 2, height / 2)
            matrix.postRotate(displayDegrees - 180f, width / 2, height / 2)
        } else if (displayDegrees == 180) {
            matrix.postRotate(180f, width / 2, height / 2)
        }
        view.setTransform(matrix)
    }
}

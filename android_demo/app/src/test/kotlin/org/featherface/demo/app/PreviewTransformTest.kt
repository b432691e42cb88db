package org.featherface.demo.app

import org.featherface.demo.ui.PreviewTransform
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import kotlin.math.hypot

/** The preview is upright and undistorted, whichever way the phone or its camera is built in. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PreviewTransformTest {
    @Test
    fun theNaturalPictureIsTurnedBackWithTheScreen() {
        for ((width, height) in listOf(480f to 640f, 640f to 480f)) {
            for (degrees in listOf(0, 90, 180, 270)) check(width, height, degrees)
        }
    }

    /** [width] and [height] of the picture in the natural orientation, which the view shows stretched over itself. */
    private fun check(
        width: Float,
        height: Float,
        degrees: Int,
    ) {
        val isSideways = degrees % 180 != 0
        val viewWidth = 2 * if (isSideways) height else width
        val viewHeight = 2 * if (isSideways) width else height
        val matrix = PreviewTransform.matrix(viewWidth, viewHeight, degrees)
        // The picture's middle, and one of its pixels to the right and one below.
        val points = floatArrayOf(0f, 0f, viewWidth / width, 0f, 0f, viewHeight / height)
        for (at in points.indices) points[at] += (if (at % 2 == 0) viewWidth else viewHeight) / 2
        matrix.mapPoints(points)
        assertEquals("the middle stays", viewWidth / 2, points[0], 1e-3f)
        assertEquals("the middle stays", viewHeight / 2, points[1], 1e-3f)
        val (rightX, rightY) = points[2] - points[0] to points[3] - points[1]
        val (downX, downY) = points[4] - points[0] to points[5] - points[1]
        assertEquals("a pixel is a square of the view's scale", 2f, hypot(rightX, rightY), 1e-3f)
        assertEquals("a pixel is a square of the view's scale", 2f, hypot(downX, downY), 1e-3f)
        val turn = Math.toRadians(-degrees.toDouble())
        assertEquals(2 * Math.cos(turn), rightX.toDouble(), 1e-3)
        assertEquals("turned clockwise when the screen's content is turned the other way", 2 * Math.sin(turn), rightY.toDouble(), 1e-3)
    }
}

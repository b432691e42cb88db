package org.featherface.demo.camera

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class CameraChoiceTest {
    private val usual =
        listOf(4000 to 3000, 1920 to 1080, 1280 to 960, 1280 to 720, 640 to 480, 720 to 480, 320 to 240).map { (width, height) ->
            FrameSize(width, height)
        }

    @Test
    fun theSmallestSizeThatIsEnough() {
        assertEquals(FrameSize(640, 480), CameraChoice.size(usual, needed = 320))
        assertEquals(FrameSize(1280, 960), CameraChoice.size(usual, needed = 1024))
    }

    @Test
    fun theSensorsShapeCountsMoreThanAFewPixels() {
        val sizes = listOf(FrameSize(720, 480), FrameSize(800, 600), FrameSize(1280, 720))
        assertEquals(FrameSize(800, 600), CameraChoice.size(sizes, needed = 320))
        assertEquals(
            "but not at any price",
            FrameSize(720, 480),
            CameraChoice.size(listOf(FrameSize(720, 480), FrameSize(4000, 3000)), 320),
        )
    }

    @Test
    fun thePreviewIsSharpAndOfTheFramesShape() {
        val frames = FrameSize(640, 480)
        assertEquals(FrameSize(1280, 960), CameraChoice.preview(usual, frames))
        assertEquals("never another shape", frames, CameraChoice.preview(listOf(FrameSize(1920, 1080)), frames))
        assertEquals(frames, CameraChoice.preview(emptyList(), frames))
    }

    @Test
    fun theLargestIfNoneIsEnough() =
        assertEquals(FrameSize(320, 240), CameraChoice.size(listOf(FrameSize(320, 240), FrameSize(176, 144)), 640))

    @Test
    fun theFastestRateThatMaySlowDownInTheDark() {
        assertNull(CameraChoice.rate(emptyList()))
        assertEquals(FrameRate(7, 30), CameraChoice.rate(listOf(FrameRate(15, 15), FrameRate(30, 30), FrameRate(7, 30))))
    }
}

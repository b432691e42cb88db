package org.featherface.demo.ui

import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Detections
import org.featherface.demo.detector.Stage
import org.featherface.demo.detector.StageTimes
import org.junit.Assert.assertEquals
import org.junit.Test

class FrameResultTest {
    private val image = ArgbImage(IntArray(6), 3, 2)

    @Test
    fun aCrowdIsCountedInFull() {
        val found = Detections(500)
        found.count = 500
        found.scores[499] = 0.25f
        val shown = FrameResult()
        FrameResult().apply { set(found, StageTimes(), image, 0.0) }.copyTo(shown)
        assertEquals(500, shown.faces.count)
        assertEquals(0.25f, shown.faces.scores[499])
    }

    @Test
    fun theWayFromTheCameraCountsAsPartOfTheWayToTheTensor() {
        val times = StageTimes()
        times.milliseconds[Stage.LETTERBOX.ordinal] = 2.0
        times.milliseconds[Stage.INFERENCE.ordinal] = 5.0
        val result = FrameResult().apply { set(Detections(1), times, image, 1.5) }
        assertEquals(3.5, result.times[Stage.LETTERBOX], 0.0)
        assertEquals(8.5, result.times.total, 0.0)
    }
}

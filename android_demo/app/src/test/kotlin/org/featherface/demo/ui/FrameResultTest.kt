package org.featherface.demo.ui

import org.featherface.demo.detector.Detections
import org.featherface.demo.detector.Letterbox
import org.featherface.demo.detector.StageTimes
import org.junit.Assert.assertEquals
import org.junit.Test

class FrameResultTest {
    private val fit = Letterbox(3, 2, 1.0, 3, 2)

    @Test
    fun aCrowdIsCountedInFull() {
        val found = Detections(500)
        found.count = 500
        found.scores[499] = 0.25f
        val shown = FrameResult()
        FrameResult().apply { set(found, StageTimes(), fit) }.copyTo(shown)
        assertEquals(500, shown.faces.count)
        assertEquals(0.25f, shown.faces.scores[499])
    }
}

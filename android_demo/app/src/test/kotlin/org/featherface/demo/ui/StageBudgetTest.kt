package org.featherface.demo.ui

import org.featherface.demo.detector.Stage
import org.featherface.demo.detector.StageTimes
import org.junit.Assert.assertEquals
import org.junit.Test

class StageBudgetTest {
    private val budget = StageBudget()

    @Test
    fun beforeTheSecondFrameThereIsNoRate() {
        assertEquals(0.0, budget.fps, 0.0)
        budget.addFrame(times(10.0), 5)
        assertEquals(0.0, budget.fps, 0.0)
    }

    @Test
    fun steadyFramesGiveTheirRateAndTimes() {
        for (frame in 0 until 50) {
            budget.addFrame(times(10.0), frame * 40_000_000L)
            budget.addDraw(2.0)
        }
        assertEquals(25.0, budget.fps, 1e-9)
        assertEquals(10.0, budget[Stage.INFERENCE], 1e-9)
        assertEquals(12.0, budget.total, 1e-9)
    }

    @Test
    fun aChangeIsSeenWithinSeconds() {
        repeat(50) { budget.addFrame(times(10.0), it * 40_000_000L) }
        repeat(100) { budget.addFrame(times(30.0), (50 + it) * 40_000_000L) }
        assertEquals(30.0, budget[Stage.INFERENCE], 0.5)
        budget.reset()
        assertEquals(0.0, budget.total, 0.0)
    }

    private fun times(inference: Double) = StageTimes().apply { milliseconds[Stage.INFERENCE.ordinal] = inference }
}

package org.featherface.demo.benchmark

import org.featherface.demo.app.GOLDEN
import org.featherface.demo.app.ScriptedDetector
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Clock
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.Golden
import org.junit.Assert.assertEquals
import org.junit.Test

/** The timing loop by a clock that moves one second a run. */
class LatencyTaskTest {
    @Test
    fun theExpectedRunsOfALongMeasurementDoNotOverflow() {
        val extras = mapOf("run_id" to "long", "model" to "m.tflite", "runs" to 1, "min_seconds" to 0, "max_seconds" to 3)
        // Stands for a day of many runs, which no test can wait for: the product of both is what overflows.
        val request = BenchmarkRequest.of(extras).copy(minSeconds = 1_500_000_000)
        var second = 0L
        val clock = Clock { 1_000_000_000L * second++ }
        val image = ArgbImage(IntArray(64 * 48), 64, 48)
        val totals = mutableListOf<Int>()
        val task = LatencyTask(request, DetectionPipeline(ScriptedDetector(Golden(GOLDEN))), listOf(image), clock)
        val latency = task.run(Progress { _, _, total -> totals.add(total) })
        assertEquals(List(3) { 1_500_000_000 }, totals)
        assertEquals("max_seconds", latency.getString("stopped_by"))
    }
}

package org.featherface.demo.ui

import org.featherface.demo.app.GOLDEN
import org.featherface.demo.detector.CalibrationOutputs
import org.featherface.demo.detector.Drift
import org.featherface.demo.detector.DriftWatch
import org.featherface.demo.detector.FaceChanges
import org.featherface.demo.detector.Golden
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Test
import java.io.File

class DriftMonitorTest {
    private val golden = Golden(GOLDEN)
    private val statistics = JSONObject(File(Golden.folder, "drift_watch.json").readText()).getJSONObject("statistics")

    @Test
    fun oneFrameInTenIsHeldAgainstTheCalibration() {
        val monitor = monitorOf(surest = 0.99)
        repeat(10 * DriftWatch.LEAST - 10) { monitor.see(golden.outputs, null) }
        assertEquals("of a few nothing is said", DriftReport(), monitor.report)
        repeat(10) { monitor.see(golden.outputs, null) }
        assertEquals(DriftReport(setOf(Drift.SURENESS)), monitor.report)
    }

    @Test
    fun aModelLikeItsCalibrationIsLeftInPeace() {
        val monitor = monitorOf(surest = 0.9)
        repeat(10 * DriftWatch.LEAST) { monitor.see(golden.outputs, null) }
        assertEquals(DriftReport(), monitor.report)
    }

    @Test
    fun theTwinSearchesOneFrameInAHundred() {
        val monitor = DriftMonitor(golden.spec, null)
        repeat(201) { frame -> monitor.see(golden.outputs) { FaceChanges(2, 1, 0, frame / 1000f) } }
        assertEquals(DriftReport(checks = 3, faces = FaceChanges(6, 3, 0, 0.2f)), monitor.report)
    }

    /** As if a quarter of the calibration's surest faces were below [surest]; here it is 0.94. */
    private fun monitorOf(surest: Double) =
        DriftMonitor(golden.spec, CalibrationOutputs.fromJson(JSONObject(statistics.toString()).put("surest_lower_quartile", surest)))
}

package org.featherface.demo.benchmark

import org.featherface.demo.app.AppTest
import org.featherface.demo.app.GOLDEN
import org.featherface.demo.app.ScriptedDetector
import org.featherface.demo.detector.Clock
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.Golden
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import java.io.File

class DetectTaskTest : AppTest() {
    @Test
    fun aFileThatCannotBeOpenedIsReportedWithoutItsHash() {
        val folder = BenchmarkFolder(File(RuntimeEnvironment.getApplication().filesDir, "benchmark"))
        val request = BenchmarkRequest.of(mapOf("run_id" to "gone", "model" to "m.tflite", "images" to "images"))
        val task = DetectTask(request, folder, DetectionPipeline(ScriptedDetector(Golden(GOLDEN))), Clock(System::nanoTime))
        val images = mutableListOf<JSONObject>()
        task.run(listOf(File(folder.root, "images/gone.jpg")), Progress { _, _, _ -> }, images::add)
        val image = images.single()
        assertEquals("images/gone.jpg", image.getString("file"))
        assertTrue(image.getString("error").contains("gone.jpg cannot be read"))
        for (name in listOf("sha256", "width", "height")) assertTrue("$name is unknown", image.isNull(name))
    }
}

package org.featherface.demo.inference

import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.objects
import org.featherface.demo.runtime.PushedModel
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test
import java.io.File
import javax.imageio.ImageIO

/**
 * The app's whole path, with a real runtime and the real models, on a photograph: the same faces as Python's.
 *
 * What Python finds is written by whatever starts the tests (`script_build/jvm_tests`), with the same files.
 */
class RealInferenceTest {
    @Test
    fun everyModelFindsTheFacesThatPythonFinds() {
        val library = System.getProperty("featherface.litert")
        val expected = System.getProperty("featherface.expected")?.let(::File)
        assumeTrue("LiteRT's library for this computer is absent: install the Python package ai-edge-litert", library != null)
        assumeTrue("there is no model in build/: run 'make tflite'", expected != null)
        val factory = LiteRtFactory(library!!)
        val models = JSONArray(expected!!.readText()).objects()
        assertTrue(models.isNotEmpty())
        for (model in models) check(factory, model)
    }

    private fun check(
        factory: LiteRtFactory,
        model: JSONObject,
    ) {
        val file = PushedModel.open(File(model.getString("model")), sidecar = null)
        factory.open(file, RuntimeOptions(1, Delegate.CPU)).use { detector ->
            val found = DetectionPipeline(detector).detect(photograph(File(model.getString("photograph"))))
            println("${file.name} (spec from ${file.specSource}): ${found.count} face(s), first score ${found.scores[0]}")
            assertTrue("${file.name}: no face in a portrait", found.count >= 1)
            Golden.assertSame(model.getJSONArray("faces"), found, model.getDouble("tolerance").toFloat(), 2e-3f)
        }
    }

    private fun photograph(file: File): ArgbImage {
        val image = ImageIO.read(file)
        return ArgbImage(image.getRGB(0, 0, image.width, image.height, null, 0, image.width), image.width, image.height)
    }
}

package org.featherface.demo.runtime

import org.featherface.demo.app.GOLDEN
import org.featherface.demo.app.ScriptedModels
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.ModelFile
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class FloatTwinTest {
    private val spec = Golden(GOLDEN).spec

    @Test
    fun float32ComesBeforeFloat16() {
        assertNull(twin("a_int8.tflite"))
        assertNull(twin("a_int8.tflite", "b_int8.tflite"))
        assertEquals("a_float16.tflite", twin("a_int8.tflite", "a_float16.tflite"))
        assertEquals("a_float32.tflite", twin("a_int8.tflite", "a_float16.tflite", "a_float32.tflite"))
        assertEquals("a_float32.tflite", twin("a_float16.tflite", "a_float32.tflite"))
        assertNull("there is nothing better", twin("a_float32.tflite", "a_float16.tflite"))
    }

    @Test
    fun anotherNetworkOrSizeIsNone() {
        assertNull(twin("a_int8.tflite", "a_float32.tflite", of = spec.copy(network = "other")))
        assertNull(twin("a_int8.tflite", "a_float32.tflite", of = spec.copy(inputWidth = 640)))
    }

    @Test
    fun aBrokenOneIsPassedOver() {
        val models =
            object : ModelSource by ScriptedModels("a_float32.tflite", "b_float32.tflite") {
                override fun open(name: String): ModelFile =
                    if (name.startsWith("a")) throw DetectorException("broken") else ScriptedModels().open(name)
            }
        assertEquals("b_float32.tflite", FloatTwin.of("a_int8.tflite", spec, models))
    }

    private fun twin(
        vararg names: String,
        of: DetectorSpec = spec,
    ) = FloatTwin.of(names.first(), of, ScriptedModels(*names))
}

package org.featherface.demo.detector

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class DetectorSpecTest {
    private val json = JSONObject(jsonOf(specOf(320, 256)))

    @Test
    fun readsWhatPythonWrites() {
        for (name in Golden.names()) {
            val golden = Golden(name)
            assertEquals(golden.outputs.shapes, golden.spec.outputShapes)
            if (!golden.spec.namesParts) {
                assertEquals(
                    golden.outputs.all.map { it.info.shape },
                    golden.outputs.shapes.take(golden.outputs.all.size),
                )
            }
        }
        assertEquals(specOf(320, 256), DetectorSpec.fromJson(json.toString()))
    }

    @Test
    fun countsAnchors() = assertEquals(2 * (40 * 40 + 20 * 20 + 10 * 10), specOf(320, 320).anchorCount)

    @Test
    fun refusesWhatIsNotJson() = refuses("no json", "cannot be read")

    @Test
    fun refusesAMissingField() {
        for (field in json.keySet() - setOf("channel_order", "mean")) {
            val less = JSONObject(json.toString()).apply { remove(field) }
            refuses(less.toString(), field)
        }
    }

    @Test
    fun refusesValuesOutOfRange() {
        val wrong =
            mapOf(
                "input_width" to 321,
                "input_height" to 0,
                "pad_rgb" to listOf(1, 2, 256),
                "strides" to listOf(8, 16),
                "variances" to listOf(0.1),
                "score_channels" to 0,
                "output_names" to listOf("a", "a", "b"),
                "score_threshold" to 1.5,
                "max_detections" to 0,
            )
        for ((field, value) in wrong) refuses(JSONObject(json.toString()).put(field, value).toString(), "")
    }

    @Test
    fun refusesADecoderThatTheAppDoesNotHave() {
        assertEquals(specOf(320, 256), DetectorSpec.fromJson(with("decoder", "anchor_offsets")))
        assertEquals("cell_distances:centre", DetectorSpec.fromJson(with("decoder", "cell_distances:centre")).decoder)
        refuses(with("decoder", "left_half"), "left_half")
        refuses(with("decoder", "boxes:diagonal"), "diagonal")
    }

    @Test
    fun refusesSeveralClassesAndWhatElseItDoesNotRead() {
        refuses(with("classes", listOf("face", "mask")), "one class")
        refuses(JSONObject(with("objectness_from", listOf("obj"))).put("decoder", "boxes").toString(), "objectness")
        refuses(with("boxes_from", listOf("a|b")), "side by side")
        refuses(with("boxes_from", listOf("dfl(a)")), "dfl")
        assertEquals(100, DetectorSpec.fromJson(JSONObject(with("decoder", "boxes")).put("rows", 100).toString()).anchorCount)
    }

    @Test
    fun refusesAnOutputWrittenOtherwise() {
        assertEquals(listOf("out.T[0:4]"), DetectorSpec.fromJson(with("boxes_from", listOf("out.T[0:4]"))).boxesFrom)
        refuses(with("boxes_from", listOf("")), "NAME[FIRST:LAST]")
    }

    private fun with(
        field: String,
        value: Any,
    ) = JSONObject(json.toString()).put(field, value).toString()

    private fun refuses(
        text: String,
        word: String,
    ) {
        val error = assertThrows(text, DetectorException::class.java) { DetectorSpec.fromJson(text) }
        assertTrue(error.message, error.message!!.contains(word))
    }
}

package org.featherface.demo.ui

import org.junit.Assert.assertEquals
import org.junit.Test

class ModelLabelTest {
    private val names = listOf("featherface_v2_320x320_int8.tflite", "featherface_v2_320x320_int8_fp16.tflite")

    @Test
    fun precisionSizeAndRoom() {
        assertEquals("int8 · 320 · 390 KB", ModelLabel.of(names[0], names, 399_000))
        assertEquals("int8+float16 · 320", ModelLabel.of(names[1], names, null))
    }

    @Test
    fun theNetworkIsSaidWhereThereAreSeveral() {
        val two = names + "retinaface_480x640_float16.tflite"
        assertEquals("int8 · 320 · featherface_v2", ModelLabel.of(names[0], two, null))
        assertEquals("float16 · 640x480 · retinaface", ModelLabel.of(two[2], two, null))
    }

    @Test
    fun anUnusualNameStays() = assertEquals("my-model", ModelLabel.of("my-model.tflite", listOf("my-model.tflite"), 5))
}

package org.featherface.demo.detector

import org.json.JSONArray
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.util.Base64
import java.util.zip.InflaterInputStream
import kotlin.math.abs

class InputWriterTest {
    @Test
    fun samePixelsAsOpenCv() {
        val cases = JSONArray(File(Golden.folder, "letterbox.json").readText()).objects()
        assertTrue(cases.size >= 8)
        for (case in cases) {
            val spec = DetectorSpec.fromJson(case.getJSONObject("spec").toString())
            val image = pattern(case.getInt("width"), case.getInt("height"))
            val (fit, canvas) = write(spec, image)
            val packed = Base64.getDecoder().decode(case.getString("canvas"))
            val expected = InflaterInputStream(packed.inputStream()).use { it.readBytes() }
            assertEquals(case.getDouble("scale"), fit.scale, 1e-12)
            val worst = canvas.indices.maxOf { abs((canvas[it].toInt() and 0xff) - (expected[it].toInt() and 0xff)) }
            assertTrue("${image.width}x${image.height}: off by $worst", worst <= 1)
        }
    }

    @Test
    fun turningTheStoredImageChangesNothing() {
        val spec = specOf(96, 64)
        for ((width, height) in listOf(40 to 30, 30 to 70, 160 to 96, 7 to 7)) {
            val upright = pattern(width, height)
            val (fit, expected) = write(spec, upright)
            for (rotation in Rotation.entries) {
                val (turnedFit, canvas) = write(spec, stored(upright, rotation))
                assertEquals(fit, turnedFit)
                assertArrayEquals("$width x $height stored with $rotation", expected, canvas)
            }
        }
    }

    @Test
    fun cameraFramesGiveTheSamePicture() {
        val spec = specOf(64, 64)
        val image = gradient(64, 48)
        val (_, expected) = write(spec, image)
        for (rotation in Rotation.entries) {
            for (planar in listOf(true, false)) {
                val frame = yuvOf(stored(image, rotation), planar, padding = 5)
                val (_, canvas) = write(spec, frame)
                val worst = canvas.indices.maxOf { abs((canvas[it].toInt() and 0xff) - (expected[it].toInt() and 0xff)) }
                assertTrue("$rotation, planar $planar: off by $worst", worst <= 8)
            }
        }
    }

    @Test
    fun theBorderIsRenewedWhenTheImageChangesShape() {
        val spec = specOf(32, 32)
        val writer = InputWriter(spec, ElementType.UINT8)
        val buffer = TensorInfo("input", ElementType.UINT8, listOf(1, 32, 32, 3), 1f, 0).allocate()
        writer.write(pattern(32, 32), buffer)
        writer.write(pattern(32, 16), buffer)
        assertEquals(listOf(123, 117, 104), List(3) { buffer.get(3 * 32 * 20 + it).toInt() and 0xff })
    }

    @Test
    fun floatInputsHoldTheSameNumbers() {
        val spec = specOf(32, 32)
        val buffer = TensorInfo("input", ElementType.FLOAT32, listOf(1, 32, 32, 3), 0f, 0).allocate()
        InputWriter(spec, ElementType.FLOAT32).write(pattern(20, 32), buffer)
        val (_, canvas) = write(spec, pattern(20, 32))
        for (index in canvas.indices) assertEquals((canvas[index].toInt() and 0xff).toFloat(), buffer.getFloat(4 * index), 0f)
    }

    @Test
    fun aSignedByteIsThePixelLess128() {
        val spec = specOf(64, 32)
        val (_, pixels) = write(spec, pattern(40, 30))
        val (_, signed) = write(spec, pattern(40, 30), ElementType.INT8)
        assertArrayEquals(IntArray(pixels.size) { (pixels[it].toInt() and 0xff) - 128 }, IntArray(signed.size) { signed[it].toInt() })
    }

    private fun write(
        spec: DetectorSpec,
        image: ImageSource,
        type: ElementType = ElementType.UINT8,
    ): Pair<Letterbox, ByteArray> {
        val buffer = TensorInfo("input", type, listOf(1, spec.inputHeight, spec.inputWidth, 3), 1f, 0).allocate()
        val fit = InputWriter(spec, type).write(image, buffer)
        return fit to ByteArray(buffer.capacity()).also { buffer.get(it) }
    }
}

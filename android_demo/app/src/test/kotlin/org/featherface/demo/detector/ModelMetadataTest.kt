package org.featherface.demo.detector

import org.featherface.demo.app.tinyFile
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder

class ModelMetadataTest {
    @Test
    fun aFileWithoutMetadataHasNone() = assertNull(ModelMetadata.text(tinyFile(), "featherface_spec"))

    @Test
    fun findsTheTextByItsName() {
        val file = withMetadata("min_runtime_version" to "1.5.0", "featherface_spec" to "{\"é\": 1}")
        assertEquals("{\"é\": 1}", ModelMetadata.text(file, "featherface_spec"))
        assertEquals("1.5.0", ModelMetadata.text(file, "min_runtime_version"))
        assertNull(ModelMetadata.text(file, "featherface"))
    }

    @Test
    fun theFilePositionDoesNotMatter() {
        val file = withMetadata("a" to "b")
        file.position(7)
        assertEquals("b", ModelMetadata.text(file, "a"))
        assertEquals(7, file.position())
    }

    @Test
    fun anyOtherFileIsRefused() {
        for (bytes in listOf(ByteArray(0), "not a model at all".toByteArray())) {
            assertThrows(DetectorException::class.java) { ModelMetadata.text(ByteBuffer.wrap(bytes), "a") }
        }
    }

    @Test
    fun aFileCutOffAnywhereIsRefusedOrHasNone() {
        val whole = withMetadata("featherface_spec" to "text").array()
        for (length in 0 until whole.size) {
            val cut = ByteBuffer.wrap(whole.copyOf(length))
            val text =
                try {
                    ModelMetadata.text(cut, "featherface_spec")
                } catch (error: DetectorException) {
                    null
                }
            assertTrue("$length of ${whole.size} bytes: $text", text == null || length >= whole.size - 3)
        }
    }

    @Test
    fun theSidecarIsTheSecondChoice() {
        val spec = specOf(64, 32)
        val inside = withMetadata("featherface_spec" to jsonOf(spec))
        assertEquals("metadata", ModelFile.read("m", inside) { "no json" }.specSource)
        val beside = ModelFile.read("m", tinyFile()) { """{"sha256": "", "spec": ${jsonOf(spec)}}""" }
        assertEquals("sidecar" to spec, beside.specSource to beside.spec)
        for (sidecar in listOf(null, "{}", "no json")) {
            assertThrows(DetectorException::class.java) { ModelFile.read("m", tinyFile()) { sidecar } }
        }
    }

    /** A TFLite file with nothing but metadata, its tables one after the other. */
    private fun withMetadata(vararg entries: Pair<String, String>): ByteBuffer {
        val out = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN)
        out.putInt(0).put("TFL3".toByteArray())
        val modelTable = table(out, fields = mapOf(4 to 4, 6 to 8), size = 12, entries = 7)
        out.putInt(0, modelTable)
        val buffers = vectorOfOffsets(out, modelTable + 4, entries.size)
        val metadata = vectorOfOffsets(out, modelTable + 8, entries.size)
        for ((index, entry) in entries.withIndex()) {
            val buffer = table(out, fields = mapOf(0 to 4), size = 8, entries = 1)
            point(out, buffers + 4 + 4 * index, buffer)
            string(out, buffer + 4, entry.second)
            val row = table(out, fields = mapOf(0 to 4, 1 to 8), size = 12, entries = 2)
            point(out, metadata + 4 + 4 * index, row)
            out.putInt(row + 8, index)
            string(out, row + 4, entry.first)
        }
        return ByteBuffer.wrap(out.array().copyOf(out.position()))
    }

    private fun table(
        out: ByteBuffer,
        fields: Map<Int, Int>,
        size: Int,
        entries: Int,
    ): Int {
        val vtable = out.position()
        out.putShort((4 + 2 * entries).toShort()).putShort(size.toShort())
        for (number in 0 until entries) out.putShort((fields[number] ?: 0).toShort())
        val start = out.position()
        out.putInt(start - vtable)
        out.position(start + size)
        return start
    }

    private fun vectorOfOffsets(
        out: ByteBuffer,
        field: Int,
        count: Int,
    ): Int {
        val start = out.position()
        point(out, field, start)
        out.putInt(count)
        out.position(start + 4 + 4 * count)
        return start
    }

    private fun string(
        out: ByteBuffer,
        field: Int,
        text: String,
    ) {
        val bytes = text.toByteArray()
        point(out, field, out.position())
        out.putInt(bytes.size).put(bytes)
        while (out.position() % 4 != 0) out.put(0)
    }

    private fun point(
        out: ByteBuffer,
        from: Int,
        to: Int,
    ) {
        out.putInt(from, to - from)
    }
}

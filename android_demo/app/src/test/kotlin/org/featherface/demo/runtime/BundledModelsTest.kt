package org.featherface.demo.runtime

import org.featherface.demo.app.tinyFile
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.jsonOf
import org.featherface.demo.detector.specOf
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import kotlin.random.Random

class BundledModelsTest {
    /** A file of 64 KB: the smallest model, and noise behind it. */
    private val packed = tinyFile().array() + Random(0).nextBytes(1 shl 16)
    private val record = """{"sha256": "${Sha256.of(packed)}", "spec": ${jsonOf(specOf(64, 32))}}"""

    @Test
    fun thePackedBytesAreRead() = assertEquals(64, BundledModels.read("m", ByteBuffer.wrap(packed), record).spec.inputWidth)

    @Test
    fun everyOtherBitIsRefused() {
        val random = Random(1)
        repeat(1000) {
            val bit = random.nextInt(8 * packed.size)
            val changed = packed.copyOf().also { it[bit / 8] = (it[bit / 8].toInt() xor (1 shl bit % 8)).toByte() }
            val refused = refusal(changed, record)
            assertTrue("bit $bit: $refused", "m is not the file that was packed" in refused)
        }
    }

    @Test
    fun aFileCutOffOrLongerIsRefused() {
        for (bytes in listOf(ByteArray(0), packed.copyOf(packed.size - 1), packed + 0.toByte())) {
            assertTrue("m is not the file that was packed" in refusal(bytes, record))
        }
    }

    @Test
    fun whereTheBufferStandsDoesNotMatter() {
        val buffer = ByteBuffer.wrap(packed).apply { position(9) }
        assertEquals(Sha256.of(packed), Sha256.of(buffer))
        assertEquals(9, buffer.position())
    }

    @Test
    fun withoutARecordNothingIsRead() {
        assertEquals("m has no m.json with it", refusal(packed, null))
        for (text in listOf("{}", "no json")) assertTrue(refusal(packed, text).startsWith("m.json: "))
    }

    private fun refusal(
        bytes: ByteArray,
        record: String?,
    ) = assertThrows(DetectorException::class.java) { BundledModels.read("m", ByteBuffer.wrap(bytes), record) }.message.orEmpty()
}

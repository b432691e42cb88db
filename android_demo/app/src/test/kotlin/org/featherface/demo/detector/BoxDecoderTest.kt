package org.featherface.demo.detector

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class BoxDecoderTest {
    private val spec = specOf(width = 32, height = 32)

    @Test
    fun nothingAboveTheThresholdGivesNothing() {
        assertEquals(0, BoxDecoder(spec).decode(outputsOf(spec)).count)
    }

    @Test
    fun zeroOffsetsGiveTheAnchor() {
        val outputs = outputsOf(spec)
        outputs.all[1].set(2 * 3 + 1, 0.9f)
        val found = BoxDecoder(spec).decode(outputs)
        assertEquals(1, found.count)
        // The fourth anchor: second cell of the first row, the larger size (32 px) round (12, 4).
        assertArrayEquals(floatArrayOf(-4f, -12f, 28f, 20f), found.boxes.copyOf(4), 0f)
    }

    @Test
    fun equalScoresComeInOrderOfTheirAnchors() {
        val outputs = outputsOf(spec)
        for (anchor in listOf(7, 2, 5)) outputs.all[1].set(2 * anchor + 1, 0.75f)
        outputs.all[1].set(2 * 9 + 1, 0.8f)
        val found = BoxDecoder(spec).decode(outputs)
        assertEquals(listOf(9, 2, 5, 7), found.anchorIndices.take(found.count))
    }

    @Test
    fun onlyTheBestCandidatesAreKept() {
        val outputs = outputsOf(spec)
        for (anchor in 0 until 10) outputs.all[1].set(2 * anchor + 1, 0.6f + anchor / 100f)
        val found = BoxDecoder(spec.copy(preNmsTopK = 3)).decode(outputs)
        assertEquals(listOf(9, 8, 7), found.anchorIndices.take(found.count))
    }

    @Test
    fun anEndlessSizeStaysFinite() {
        val outputs = outputsOf(spec)
        outputs.all[1].set(1, 0.9f)
        outputs.all[0].set(2, 1e30f)
        assertTrue(BoxDecoder(spec).decode(outputs).boxes.all { it.isFinite() })
    }

    @Test
    fun aNumberThatIsNoneIsRefused() {
        val outputs = outputsOf(spec)
        outputs.all[2].set(5, Float.NaN)
        val error = assertThrows(DetectorException::class.java) { BoxDecoder(spec).decode(outputs) }
        assertTrue(error.message, error.message!!.contains("landmarks"))
    }

    @Test
    fun aShapeThatContradictsTheSpecIsRefused() {
        val error =
            assertThrows(DetectorException::class.java) { BoxDecoder(spec).decode(outputsOf(specOf(width = 64, height = 32))) }
        assertTrue(error.message, error.message!!.contains("[1, 42, 4]") && error.message!!.contains("[1, 84, 4]"))
    }
}

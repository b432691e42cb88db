package org.featherface.demo.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Outputs cut, turned and joined as a spec says; those that cannot be are named. */
class RawOutputsTest {
    private val spec =
        specOf(width = 32, height = 32, scoreChannels = 1).copy(
            inputWidth = 16,
            inputHeight = 16,
            strides = listOf(8),
            anchorSizes = listOf(listOf(8)),
            decoder = "boxes",
            points = 0,
        )

    @Test
    fun channelsThatStandFirstAreTurned() {
        val outputs = RawOutputs.of(cut("out.T[0:4]", "out.T[4:5]"), listOf(counting("out", 1, 5, 2, 2)))
        assertEquals(spec.outputShapes, outputs.shapes)
        // Channel after channel, each of four cells.
        assertEquals(listOf(2f, 6f, 10f, 14f), List(4) { outputs.boxes[2, it] })
        assertEquals(18f, outputs.scores[2, 0])
    }

    @Test
    fun levelsComeOneBelowTheOther() {
        val two = cut("a", "c").copy(decoder = "cell_sizes", boxesFrom = listOf("a", "b"), objectnessFrom = listOf("d"))
        val outputs = RawOutputs.of(two, listOf(counting("a", 1, 3, 4), counting("b", 1, 4), counting("c", 4, 1), counting("d", 4, 1)))
        assertEquals(listOf(1, 4, 4), outputs.shapes[0])
        assertEquals(listOf(9f, 1f), listOf(outputs.boxes[2, 1], outputs.boxes[3, 1]))
        assertEquals(listOf(3f, 3f), List(2) { outputs.scores[3, it] })
    }

    @Test
    fun withoutPartsTheOrderSaysWhatTheyAre() {
        val outputs = RawOutputs.of(spec, listOf(counting("Identity", 1, 4, 4), counting("Identity_1", 1, 4, 1)))
        assertEquals(listOf("boxes", "scores"), outputs.names)
        assertEquals(spec.outputShapes, outputs.shapes)
    }

    @Test
    fun whatIsNotThereIsNamed() {
        refuses("names an output absent, the file has [out]") { RawOutputs.of(cut("absent", "out"), listOf(counting("out", 1, 4, 4))) }
        refuses("output out has 5 channels, the spec asks for 4 to 5") {
            RawOutputs.of(cut("out.T[0:4]", "out.T[4:6]"), listOf(counting("out", 1, 5, 4)))
        }
        refuses("differ in channels: [4, 3]") {
            val parts = cut("a", "c").copy(boxesFrom = listOf("a", "b"))
            RawOutputs.of(parts, listOf(counting("a", 1, 3, 4), counting("b", 1, 1, 3), counting("c", 4, 1)))
        }
        refuses("2 rows of objectness but 4 of scores") {
            val parts = cut("a", "c").copy(decoder = "cell_sizes", objectnessFrom = listOf("d"))
            RawOutputs.of(parts, listOf(counting("a", 1, 4, 4), counting("c", 4, 1), counting("d", 2, 1)))
        }
        refuses("expects outputs") { RawOutputs.of(spec, List(4) { counting("$it", 1, 4, 4) }) }
        refuses("has 1 channels") { RawOutputs.of(cut("out[2:1]", "out"), listOf(counting("out", 4, 1))) }
    }

    private fun cut(
        boxes: String,
        scores: String,
    ) = spec.copy(boxesFrom = listOf(boxes), scoresFrom = listOf(scores))

    /** 0, 1, 2 ... in the order of the memory. */
    private fun counting(
        name: String,
        vararg shape: Int,
    ): RawTensor {
        val info = TensorInfo(name, ElementType.FLOAT32, shape.toList(), 0f, 0)
        return RawTensor(info, info.allocate()).apply { for (index in 0 until info.size) set(index, index.toFloat()) }
    }

    private fun refuses(
        words: String,
        made: () -> RawOutputs,
    ) {
        val error = assertThrows(DetectorException::class.java) { made() }
        assertTrue(error.message, error.message!!.contains(words))
    }
}

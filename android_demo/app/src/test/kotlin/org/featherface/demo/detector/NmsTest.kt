package org.featherface.demo.detector

import org.junit.Assert.assertEquals
import org.junit.Test
import java.util.Random

class NmsTest {
    private val boxes =
        floatArrayOf(
            0f,
            0f,
            10f,
            10f,
            0f,
            0f,
            10f,
            5f, // overlaps the first by exactly 0.5
            20f,
            20f,
            30f,
            30f,
            1f,
            0f,
            11f,
            10f, // overlaps the first by 9/11
        )

    @Test
    fun noBoxes() = assertEquals(emptyList<Int>(), kept(FloatArray(0), 0.5f))

    @Test
    fun anOverlapEqualToTheLimitStays() = assertEquals(listOf(0, 1, 2), kept(boxes, 0.5f))

    @Test
    fun anOverlapAboveTheLimitGoes() = assertEquals(listOf(0, 2), kept(boxes, 0.49f))

    @Test
    fun noMoreThanAskedFor() = assertEquals(listOf(0, 1), kept(boxes, 0.5f, keep = 2))

    @Test
    fun emptyBoxesOverlapNothing() = assertEquals(listOf(0, 1), kept(FloatArray(8) { 3f }, 0f))

    @Test
    fun whatIsKeptDoesNotOverlapAndWhatIsDroppedDoes() {
        val random = Random(8)
        repeat(50) {
            val count = random.nextInt(60)
            val some = FloatArray(4 * count)
            for (at in some.indices step 4) {
                some[at] = random.nextInt(50).toFloat()
                some[at + 1] = random.nextInt(50).toFloat()
                some[at + 2] = some[at] + random.nextInt(30)
                some[at + 3] = some[at + 1] + random.nextInt(30)
            }
            val chosen = kept(some, 0.4f)
            for (box in 0 until count) {
                val overlapped = chosen.any { it < box && Nms.overlap(some, 4 * it, some, 4 * box) > 0.4f }
                assertEquals("box $box of $count", !overlapped, box in chosen)
            }
        }
    }

    private fun kept(
        boxes: FloatArray,
        iou: Float,
        keep: Int = 100,
    ): List<Int> {
        val nms = Nms(100, iou, keep)
        return nms.kept.take(nms.suppress(boxes, boxes.size / 4))
    }
}

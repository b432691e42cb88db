package org.featherface.demo.detector

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.Random

class FaceSmootherTest {
    private val smoother = FaceSmoother()
    private val found = Detections(8, points = 1)

    @Test
    fun noFaces() = assertEquals(listOf<Float>(), shown())

    @Test
    fun aFaceAtRestTremblesLess() {
        val random = Random(4)
        val noise = FloatArray(200) { random.nextGaussian().toFloat() }
        val left = noise.map { shown(100 + it).single() - 100 }
        assertTrue("${spread(left)} of ${spread(noise.toList())}", spread(left) < 0.6 * spread(noise.toList()))
    }

    @Test
    fun aFaceThatMovesIsShownWhereItIs() {
        for (step in 0 until 10) assertEquals(listOf(12f * step), shown(12f * step))
    }

    @Test
    fun aSlowFaceIsNotLeftBehind() {
        var place = 0f
        for (step in 0 until 50) place = shown(step.toFloat()).single()
        assertEquals("a hundredth of its size a frame", 49f, place, 2f)
    }

    @Test
    fun aFaceComesAndGoesAtOnce() {
        assertEquals(listOf(0f), shown(0f))
        assertEquals(listOf(0f, 300f), shown(0f, 300f))
        assertEquals(listOf(300f), shown(300f))
        assertEquals(listOf<Float>(), shown())
        assertEquals("after a frame without it", listOf(301f), shown(301f))
    }

    @Test
    fun neighboursAreNotMixedUpWhenTheirOrderChanges() {
        shown(0f, 60f)
        val (second, first) = shown(61f, 1f)
        assertEquals(60.3f, second, 0.2f)
        assertEquals(0.3f, first, 0.2f)
    }

    @Test
    fun landmarksAndScoresMoveWithTheBox() {
        shown(0f)
        shown(1f)
        val moved = found.boxes[0]
        assertArrayEquals(floatArrayOf(50 + moved, 50f), found.landmarks.copyOf(2), 1e-3f)
        assertEquals(0.9f, found.scores[0], 1e-6f)
    }

    @Test
    fun anotherCameraBeginsAnew() {
        shown(0f)
        smoother.clear()
        assertEquals(listOf(1f), shown(1f))
    }

    @Test
    fun anotherModelMayHaveOtherLandmarks() {
        shown(0f)
        smoother.smooth(Detections(16, points = 5).apply { count = 1 })
        assertEquals(listOf(1f), shown(1f))
    }

    /** Left edges of faces of 100 x 100 pixels, as shown after they were found at [lefts]. */
    private fun shown(vararg lefts: Float): List<Float> {
        found.count = lefts.size
        for ((face, left) in lefts.withIndex()) {
            floatArrayOf(left, 0f, left + 100, 100f).copyInto(found.boxes, 4 * face)
            floatArrayOf(left + 50, 50f).copyInto(found.landmarks, 2 * face)
            found.scores[face] = 0.9f
        }
        smoother.smooth(found)
        return List(lefts.size) { found.boxes[4 * it] }
    }

    private fun spread(values: List<Float>) = Math.sqrt(values.sumOf { it.toDouble() * it } / values.size)
}

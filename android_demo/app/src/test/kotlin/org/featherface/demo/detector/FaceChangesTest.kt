package org.featherface.demo.detector

import org.junit.Assert.assertEquals
import org.junit.Test

class FaceChangesTest {
    @Test
    fun whatBothFindIsPairedByOverlap() {
        val rows =
            listOf(
                Row(listOf(), listOf(), FaceChanges(0, 0, 0, 0f)),
                Row(listOf(0), listOf(), FaceChanges(0, 1, 0, 0f)),
                Row(listOf(), listOf(0, 50), FaceChanges(0, 0, 2, 0f)),
                Row(listOf(0, 50), listOf(51, 1), FaceChanges(2, 0, 0, 0.1f)),
                // 10 wide, 4 apart: 6 of 14 overlap.
                Row(listOf(0), listOf(4), FaceChanges(0, 1, 1, 0f)),
                // The nearest one is taken, whatever its score; a face has one partner.
                Row(listOf(0), listOf(3, 1), FaceChanges(1, 0, 1, 0.1f)),
                Row(listOf(3, 1), listOf(0), FaceChanges(1, 1, 0, 0.1f)),
            )
        for (row in rows) {
            val found = FaceChanges.of(facesAt(row.candidate), facesAt(row.reference))
            assertEquals("$row", row.changes.copy(scoreChange = 0f), found.copy(scoreChange = 0f))
            assertEquals("$row", row.changes.scoreChange, found.scoreChange, 1e-6f)
        }
    }

    private data class Row(
        val candidate: List<Int>,
        val reference: List<Int>,
        val changes: FaceChanges,
    )

    /** Squares of 10 pixels, of scores 0.9, 0.8 and so on. */
    private fun facesAt(lefts: List<Int>): Detections {
        val faces = Detections(4)
        faces.count = lefts.size
        for ((index, left) in lefts.withIndex()) {
            floatArrayOf(left.toFloat(), 0f, left + 10f, 10f).copyInto(faces.boxes, 4 * index)
            faces.scores[index] = 0.9f - index * 0.1f
        }
        return faces
    }
}

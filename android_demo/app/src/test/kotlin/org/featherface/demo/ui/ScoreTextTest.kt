package org.featherface.demo.ui

import org.junit.Assert.assertEquals
import org.junit.Test

class ScoreTextTest {
    @Test
    fun writesWholePercentages() {
        val text = ScoreText()
        val wanted = mapOf(0f to "0%", 0.05f to "5%", 0.5f to "50%", 0.999f to "99%", 1f to "100%", 1.5f to "100%", -1f to "0%")
        for ((score, expected) in wanted) assertEquals(expected, String(text.characters, 0, text.write(score)))
    }
}

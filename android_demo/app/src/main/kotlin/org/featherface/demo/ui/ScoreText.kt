package org.featherface.demo.ui

/** Writes a score as a percentage into a reused array, because `String.format` would allocate for every face. */
class ScoreText {
    val characters = CharArray(4)

    /**
     * Write [score] (0..1) as a whole percentage, rounded down: 100% is said only of certainty.
     *
     * @return how many of [characters] were used
     */
    fun write(score: Float): Int {
        val percent = (score * 100).toInt().coerceIn(0, 100)
        var length = 0
        if (percent == 100) characters[length++] = '1'
        if (percent >= 10) characters[length++] = '0' + percent / 10 % 10
        characters[length++] = '0' + percent % 10
        characters[length++] = '%'
        return length
    }
}

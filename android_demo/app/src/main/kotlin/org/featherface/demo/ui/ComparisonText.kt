package org.featherface.demo.ui

import android.content.Context
import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import org.featherface.demo.R
import kotlin.math.ceil

/** Says in words what a comparison found, and which colour is whose. */
object ComparisonText {
    /** For instance `7 of 7 faces the same, scores within 0.02`, and behind a dot of its colour each model's precision. */
    fun of(
        comparison: Comparison,
        context: Context,
    ): CharSequence {
        val (candidate, reference) = comparison.models.toList().map(ModelLabel::precision)
        val line = SpannableStringBuilder(drift(comparison, context)).append('\n')
        for ((name, colour, mark) in listOf(Triple(candidate, R.color.box, "▬"), Triple(reference, R.color.box_other, "╍"))) {
            line.append(mark, ForegroundColorSpan(context.getColor(colour)), Spanned.SPAN_EXCLUSIVE_EXCLUSIVE).append("\u00A0$name  ")
        }
        return line
    }

    private fun drift(
        comparison: Comparison,
        context: Context,
    ): String {
        val (candidate, reference) = comparison.models.toList().map(ModelLabel::precision)
        val found = comparison.changes
        val all = found.same + found.onlyCandidate + found.onlyReference
        if (all == 0) return context.getString(R.string.compared_nothing)
        val parts = mutableListOf(context.resources.getQuantityString(R.plurals.compared_faces, all, found.same, all))
        // Rounded up: what is said must hold.
        if (found.same > 0) parts += context.getString(R.string.compared_scores, ceil(found.scoreChange * 100.0) / 100)
        for ((name, count) in listOf(candidate to found.onlyCandidate, reference to found.onlyReference)) {
            if (count > 0) parts += context.getString(R.string.compared_only, name, count)
        }
        return parts.joinToString(", ")
    }
}

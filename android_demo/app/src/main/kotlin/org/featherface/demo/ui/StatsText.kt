package org.featherface.demo.ui

import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import android.view.View
import android.widget.TextView
import org.featherface.demo.R
import org.featherface.demo.detector.Stage

/** Says how fast it goes and how many faces there are; renews its text a few times a second, not with every frame. */
class StatsText(
    sheet: View,
    private val overlay: OverlayView,
) {
    private val fps: TextView = sheet.find(R.id.fps)
    private val text: TextView = sheet.find(R.id.stats)
    private val bar: StageBar = sheet.find(R.id.stage_bar)
    private val legend: TextView = sheet.find(R.id.stages)
    private val drift: TextView = sheet.find(R.id.drift)
    private val budget = StageBudget()
    private val stages = DoubleArray(StageBar.COLOURS.size)
    private var lastText = 0L
    private var lastCount = -1

    init {
        overlay.drawListener = DrawListener(budget::addDraw)
    }

    /** Begin anew, for another camera. */
    fun reset() {
        budget.reset()
        lastText = 0
    }

    /** Show what belongs to [state]; the camera's figures follow with its frames. */
    fun render(state: UiState) {
        // With a camera the number changes all the time: it is read when somebody asks for it.
        overlay.accessibilityLiveRegion =
            if (state is UiState.Live) View.ACCESSIBILITY_LIVE_REGION_NONE else View.ACCESSIBILITY_LIVE_REGION_POLITE
        if (state is UiState.Live) return
        lastCount = -1
        budget.reset()
        text.text = ""
        for (view in listOf(fps, bar, legend, drift)) view.visibility = View.GONE
        overlay.contentDescription = null
    }

    /** Take in the faces of a frame or a picture that is shown now, and what is [known] of the camera's last ones. */
    fun addFrame(
        state: UiState,
        known: DriftReport,
    ) {
        if (overlay.faceCount != lastCount) {
            lastCount = overlay.faceCount
            overlay.contentDescription = faces()
        }
        if (state is UiState.Standing) return showStanding(state)
        val now = System.nanoTime()
        budget.addFrame(overlay.times, now)
        if (now - lastText < TEXT_INTERVAL) return
        lastText = now
        showSpeed()
        drift.text = known.text(drift.resources)
        drift.visibility = if (drift.text.isEmpty()) View.GONE else View.VISIBLE
    }

    private fun showStanding(state: UiState.Standing) =
        when (state) {
            is UiState.Still -> {
                text.text = text.resources.getString(R.string.stats_line, faces(), overlay.times.total)
            }

            is UiState.Compared -> {
                val words = ComparisonText.of(state.comparison, text.context)
                overlay.contentDescription = words.toString()
                text.text = words
            }
        }

    private fun showSpeed() {
        for (view in listOf(fps, bar, legend)) view.visibility = View.VISIBLE
        fps.text = text.resources.getString(R.string.fps, budget.fps)
        text.text = text.resources.getString(R.string.stats_line, faces(), budget.total)
        stages[0] = budget[Stage.LETTERBOX]
        stages[1] = budget[Stage.INFERENCE]
        stages[2] = budget[Stage.DECODE] + budget[Stage.NMS]
        stages[3] = budget.draw
        bar.show(stages)
        legend.text = named(stages)
    }

    /** Each stage's name and milliseconds behind a dot of its colour. */
    private fun named(stages: DoubleArray): CharSequence {
        val line = SpannableStringBuilder()
        for ((index, name) in NAMES.withIndex()) {
            if (index > 0) line.append("  ")
            val dot = ForegroundColorSpan(legend.context.getColor(StageBar.COLOURS[index]))
            line.append("●", dot, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE).append(legend.resources.getString(name, stages[index]))
        }
        return line
    }

    private fun faces() = overlay.resources.getQuantityString(R.plurals.faces, overlay.faceCount, overlay.faceCount)

    private companion object {
        const val TEXT_INTERVAL = 300_000_000L

        val NAMES = listOf(R.string.stage_tensor, R.string.stage_network, R.string.stage_decode, R.string.stage_draw)
    }
}

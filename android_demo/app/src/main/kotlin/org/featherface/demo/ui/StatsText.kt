package org.featherface.demo.ui

import android.view.View
import android.widget.TextView
import org.featherface.demo.R
import org.featherface.demo.detector.Stage

/** Says how fast it goes and how many faces there are; renews its text a few times a second, not with every frame. */
class StatsText(
    private val text: TextView,
    private val overlay: OverlayView,
) {
    private val budget = StageBudget()
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
        overlay.contentDescription = null
    }

    /** Take in the faces of a frame or a picture that is shown now. */
    fun addFrame(state: UiState) {
        if (overlay.faceCount != lastCount) {
            lastCount = overlay.faceCount
            overlay.contentDescription = faces()
        }
        if (state is UiState.Still) {
            text.text = text.resources.getString(R.string.stats_still, faces(), overlay.times.total)
            return
        }
        val now = System.nanoTime()
        budget.addFrame(overlay.times, now)
        if (now - lastText < TEXT_INTERVAL) return
        lastText = now
        text.text = "${text.resources.getString(R.string.stats_live, budget.fps, budget.total)} · ${faces()}\n${stages()}"
    }

    private fun faces() = overlay.resources.getQuantityString(R.plurals.faces, overlay.faceCount, overlay.faceCount)

    private fun stages() =
        text.resources.getString(
            R.string.stats_stages,
            budget[Stage.LETTERBOX],
            budget[Stage.INFERENCE],
            budget[Stage.DECODE],
            budget[Stage.NMS],
            budget.draw,
        )

    private companion object {
        const val TEXT_INTERVAL = 300_000_000L
    }
}

package org.featherface.demo.ui

import android.content.res.Resources
import android.view.View
import android.widget.Button
import android.widget.TextView
import org.featherface.demo.R

/** What to say, and what a button offers, in a state without a picture. */
class Message(
    val title: String,
    val text: String,
    val action: String?,
) {
    companion object {
        /** The message of [state], or null if it shows a picture. */
        fun of(
            state: UiState,
            resources: Resources,
        ): Message? =
            with(resources) {
                val again = getString(R.string.try_again)
                when (state) {
                    is UiState.Live, is UiState.Standing -> {
                        null
                    }

                    is UiState.Starting -> {
                        Message(getString(R.string.starting_title), getString(R.string.starting_text), null)
                    }

                    is UiState.OpeningStill -> {
                        Message(getString(R.string.opening_title), getString(R.string.starting_text), null)
                    }

                    is UiState.PermissionNeeded -> {
                        Message(
                            getString(R.string.permission_title),
                            getString(if (state.isFinal) R.string.permission_final_text else R.string.permission_text),
                            getString(if (state.isFinal) R.string.permission_settings else R.string.permission_action),
                        )
                    }

                    is UiState.NoCamera -> {
                        Message(getString(R.string.no_camera_title), getString(R.string.no_camera_text), again)
                    }

                    is UiState.CameraLost -> {
                        Message(getString(R.string.camera_lost_title), state.reason, again)
                    }

                    is UiState.NoModel -> {
                        Message(getString(R.string.no_model_title), getString(R.string.no_model_text), getString(R.string.open_model))
                    }

                    is UiState.BrokenModel -> {
                        Message(getString(R.string.broken_model_title, state.name), state.reason, again)
                    }

                    is UiState.NoGpu -> {
                        Message(getString(R.string.no_gpu_title), state.reason, getString(R.string.no_gpu_action))
                    }

                    is UiState.BrokenStill -> {
                        Message(getString(R.string.broken_still_title), state.reason, getString(R.string.back_to_camera))
                    }
                }
            }
    }
}

/** The part of the screen that shows a [Message]. */
class MessagePanel(
    private val panel: View,
) {
    private val title: TextView = panel.find(R.id.message_title)
    private val text: TextView = panel.find(R.id.message_text)
    private val action: Button = panel.find(R.id.message_action)

    /** Show what belongs to [state]; [act] is called with it when the button is pressed. */
    fun render(
        state: UiState,
        act: (UiState) -> Unit,
    ) {
        val message = Message.of(state, panel.resources)
        panel.visibility = if (message == null) View.GONE else View.VISIBLE
        if (message == null) return
        title.text = message.title
        text.text = message.text
        action.visibility = if (message.action == null) View.GONE else View.VISIBLE
        action.text = message.action
        action.setOnClickListener { act(state) }
    }
}

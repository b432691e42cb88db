package org.featherface.demo.ui

import android.graphics.Bitmap
import org.featherface.demo.camera.CameraMode

/** What the screen shows: exactly one of these. */
sealed interface UiState {
    /** The model is being loaded. */
    data object Starting : UiState

    /** The camera runs, or is about to, in [mode]. */
    data class Live(
        val mode: CameraMode,
    ) : UiState

    /** A still image is being read and searched. */
    data object OpeningStill : UiState

    /** A picture stands on the screen. */
    sealed interface Standing : UiState {
        val bitmap: Bitmap
    }

    /** A still image with its faces. */
    data class Still(
        override val bitmap: Bitmap,
        val faces: Int,
    ) : Standing

    /** A still image, or a frame of the camera, with the faces that the model and its float twin find. */
    data class Compared(
        override val bitmap: Bitmap,
        val comparison: Comparison,
    ) : Standing

    /**
     * The user has not let the app use the camera.
     *
     * @property isFinal the system asks no more; only its own settings can undo that
     */
    data class PermissionNeeded(
        val isFinal: Boolean,
    ) : UiState

    /** The phone has no camera. */
    data object NoCamera : UiState

    /**
     * The camera was there and went away.
     *
     * @property comesBack whether it is only taken: the app goes on by itself when it is free
     */
    data class CameraLost(
        val reason: String,
        val comesBack: Boolean = false,
    ) : UiState

    /** The app was built without models. */
    data object NoModel : UiState

    /** A model that cannot be used. */
    data class BrokenModel(
        val name: String,
        val reason: String,
    ) : UiState

    /** The GPU was asked for and cannot be had. */
    data class NoGpu(
        val reason: String,
    ) : UiState

    /** A still image that cannot be shown. */
    data class BrokenStill(
        val reason: String,
    ) : UiState
}

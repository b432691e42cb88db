package org.featherface.demo.ui

import android.os.Bundle
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.RuntimeOptions

/**
 * What the user has chosen.
 *
 * @property model file name; null: none chosen yet
 * @property scoreThreshold only faces with a greater score are shown; null: the model's own
 */
data class Settings(
    val model: String? = null,
    val options: RuntimeOptions = RuntimeOptions(threads = defaultThreads(), delegate = Delegate.CPU),
    val frontCamera: Boolean = false,
    val scoreThreshold: Float? = null,
) {
    /** Keep this in [state], for [restored]. */
    fun save(state: Bundle) {
        state.putString(MODEL, model)
        state.putInt(THREADS, options.threads)
        state.putString(DELEGATE, options.delegate.label)
        state.putBoolean(FRONT, frontCamera)
        scoreThreshold?.let { state.putFloat(THRESHOLD, it) }
    }

    companion object {
        private const val MODEL = "model"
        private const val THREADS = "threads"
        private const val DELEGATE = "delegate"
        private const val FRONT = "front"
        private const val THRESHOLD = "threshold"

        /** What [save] kept in [state], when the system ended the app in the background. */
        fun restored(state: Bundle): Settings {
            val options =
                RuntimeOptions(state.getInt(THREADS, defaultThreads()), Delegate.of(state.getString(DELEGATE, "")) ?: Delegate.CPU)
            val threshold = if (state.containsKey(THRESHOLD)) state.getFloat(THRESHOLD) else null
            return Settings(state.getString(MODEL), options, state.getBoolean(FRONT), threshold)
        }

        /** Half of the cores, at most 4: the little cores of a phone slow the big ones down. */
        fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
    }
}

package org.featherface.demo.ui

import android.content.Context
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

    /** Keep this for the app's next start. */
    fun keep(context: Context) {
        val kept = preferences(context).edit()
        kept.putString(MODEL, model).putInt(THREADS, options.threads).putString(DELEGATE, options.delegate.label)
        kept.putBoolean(FRONT, frontCamera)
        if (scoreThreshold == null) kept.remove(THRESHOLD) else kept.putFloat(THRESHOLD, scoreThreshold)
        kept.apply()
    }

    companion object {
        private const val KEPT = "settings"

        private fun preferences(context: Context) = context.getSharedPreferences(KEPT, Context.MODE_PRIVATE)

        /** What [keep] kept, or the defaults. */
        fun kept(context: Context): Settings {
            val kept = preferences(context)
            val options =
                RuntimeOptions(
                    kept.getInt(THREADS, defaultThreads()).coerceIn(1, RuntimeOptions.MAX_THREADS),
                    Delegate.of(kept.getString(DELEGATE, "").orEmpty()) ?: Delegate.CPU,
                )
            val threshold = if (kept.contains(THRESHOLD)) kept.getFloat(THRESHOLD, 0f) else null
            return Settings(kept.getString(MODEL, null), options, kept.getBoolean(FRONT, false), threshold)
        }

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

package org.featherface.demo.ui

import android.content.Context
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.RuntimeOptions

/**
 * What the user has chosen.
 *
 * @property model file name; null: none chosen yet
 * @property scoreThreshold only faces with a greater score are shown; null: the model's own
 * @property isSteady whether the camera's boxes are calmed, see `FaceSmoother`
 * @property isTwinWatching whether the float model searches one camera frame in a hundred, too
 * @property showsControls whether the sheet below the picture is open
 */
data class Settings(
    val model: String? = null,
    val options: RuntimeOptions = RuntimeOptions(threads = defaultThreads(), delegate = Delegate.CPU),
    val frontCamera: Boolean = false,
    val scoreThreshold: Float? = null,
    val isSteady: Boolean = true,
    val isTwinWatching: Boolean = false,
    val showsControls: Boolean = true,
) {
    /** Keep this for the app's next start. */
    fun keep(context: Context) {
        val kept = preferences(context).edit()
        kept.putString(MODEL, model).putInt(THREADS, options.threads).putString(DELEGATE, options.delegate.label)
        kept.putBoolean(FRONT, frontCamera).putBoolean(STEADY, isSteady).putBoolean(CONTROLS, showsControls)
        kept.putBoolean(TWIN, isTwinWatching)
        if (scoreThreshold == null) kept.remove(THRESHOLD) else kept.putFloat(THRESHOLD, scoreThreshold)
        kept.apply()
    }

    companion object {
        private const val KEPT = "settings"
        private const val MODEL = "model"
        private const val THREADS = "threads"
        private const val DELEGATE = "delegate"
        private const val FRONT = "front"
        private const val THRESHOLD = "threshold"
        private const val STEADY = "steady"
        private const val TWIN = "twin"
        private const val CONTROLS = "controls"

        private fun preferences(context: Context) = context.getSharedPreferences(KEPT, Context.MODE_PRIVATE)

        /** What [keep] kept, or the defaults. */
        fun kept(context: Context): Settings {
            val kept = preferences(context)
            val options =
                RuntimeOptions(
                    kept.getInt(THREADS, defaultThreads()).coerceIn(1, RuntimeOptions.MAX_THREADS),
                    Delegate.of(kept.getString(DELEGATE, "").orEmpty()) ?: Delegate.CPU,
                )
            return Settings(
                model = kept.getString(MODEL, null),
                options = options,
                frontCamera = kept.getBoolean(FRONT, false),
                scoreThreshold = if (kept.contains(THRESHOLD)) kept.getFloat(THRESHOLD, 0f) else null,
                isSteady = kept.getBoolean(STEADY, true),
                isTwinWatching = kept.getBoolean(TWIN, false),
                showsControls = kept.getBoolean(CONTROLS, true),
            )
        }

        /** Half of the cores, at most 4: the little cores of a phone slow the big ones down. */
        fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
    }
}

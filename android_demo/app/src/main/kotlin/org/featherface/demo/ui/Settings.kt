package org.featherface.demo.ui

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
    companion object {
        /** Half of the cores, at most 4: the little cores of a phone slow the big ones down. */
        fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
    }
}

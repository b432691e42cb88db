package org.featherface.demo

import android.content.Context
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.runtime.BundledModels
import org.featherface.demo.runtime.ModelSource
import org.featherface.demo.runtime.TfliteFaceDetector
import java.io.File

/** What the activities are built from; tests put scripted parts in here. */
object Wiring {
    @Volatile var factory: DetectorFactory = TfliteFaceDetector.Factory

    @Volatile var models: (Context) -> ModelSource = { BundledModels(it.assets) }

    /** A folder that the app and adb can both read and write, on every Android; null where there is none. */
    @Suppress("DEPRECATION") // the media folders have a successor only for media
    @Volatile
    var sharedFolder: (Context) -> File? = { it.externalMediaDirs.firstOrNull() }
}

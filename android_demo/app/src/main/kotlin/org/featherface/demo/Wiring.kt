package org.featherface.demo

import android.content.Context
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.runtime.BundledModels
import org.featherface.demo.runtime.ModelSource
import org.featherface.demo.runtime.TfliteFaceDetector

/** What the activities are built from; tests put scripted parts in here. */
object Wiring {
    @Volatile var factory: DetectorFactory = TfliteFaceDetector.Factory

    @Volatile var models: (Context) -> ModelSource = { BundledModels(it.assets) }
}

package org.featherface.demo.app

import android.os.Looper
import org.featherface.demo.Wiring
import org.featherface.demo.runtime.BundledModels
import org.featherface.demo.runtime.TfliteFaceDetector
import org.junit.After
import org.junit.Before
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File

/** An app with a scripted runtime in the place of TensorFlow Lite, on the newest Android that a JDK 17 can run. */
@RunWith(AppTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
abstract class AppTest {
    protected val factory = ScriptedFactory()

    @Before
    fun wire() {
        Wiring.factory = factory
        Wiring.models = { ScriptedModels() }
        Wiring.sharedFolder = { File(it.filesDir, "media") } // Robolectric has none
    }

    @After
    fun unwire() {
        Wiring.factory = TfliteFaceDetector.Factory
        Wiring.models = { BundledModels(it.assets) }
    }

    /** Let the app's threads work until [condition] holds. */
    protected fun await(
        what: String,
        condition: () -> Boolean,
    ) {
        val deadline = System.nanoTime() + PATIENCE_NS
        while (!condition()) {
            check(System.nanoTime() < deadline) { "waited in vain: $what" }
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
        shadowOf(Looper.getMainLooper()).idle()
    }

    private companion object {
        /** Only a hanging app waits this long, on the busiest build machine. */
        const val PATIENCE_NS = 180_000_000_000L
    }
}

package org.featherface.demo.ui

import android.content.Context
import android.graphics.SurfaceTexture
import android.media.ImageReader
import android.net.Uri
import android.os.Handler
import android.os.Looper
import org.featherface.demo.camera.CameraController
import org.featherface.demo.camera.CameraListener
import org.featherface.demo.camera.CameraMode
import org.featherface.demo.camera.FrameReader
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.Rotation
import org.featherface.demo.runtime.ModelSource
import org.featherface.demo.still.StillLoader

/** The screen, as the model sees it. All calls come on the main thread. */
interface DemoScreen {
    /** The state or the settings have changed. */
    fun render()

    /** New faces are in [DemoModel.result]. */
    fun renderFaces()
}

/**
 * Holds the app's state; outlives a rotation of the screen. Everything public is for the main thread.
 *
 * @param context the application's, never an activity's
 */
class DemoModel(
    private val context: Context,
    private val models: ModelSource,
    factory: DetectorFactory,
) : CameraListener {
    private val main = Handler(Looper.getMainLooper())
    private val detection = DetectionThread(models, factory)
    private val camera = CameraController(context, detection.handler, this)
    private val frames = FrameReader()
    private val publish = Runnable { screen?.renderFaces() }
    private var screen: DemoScreen? = null
    private var loaded: LoadResult.Loaded? = null
    private var loading: Settings? = null
    private var still: Uri? = null

    @Volatile private var rotation = Rotation.NONE

    @Volatile private var threshold: Float? = null

    var state: UiState = UiState.Starting
        private set
    var settings = Settings(model = models.names().firstOrNull())
        private set
    val modelNames: List<String> = models.names()

    /** The newest faces. */
    val result = FrameResult()

    /** The threshold in force: the user's or the model's. */
    val scoreThreshold: Float get() = settings.scoreThreshold ?: loaded?.scoreThreshold ?: 0f

    /** Whether there is a choice between front and back. */
    val hasBothCameras: Boolean by lazy(LazyThreadSafetyMode.NONE) { camera.hasBothSides() }

    /** Show this model's state on [shown], or on no screen. */
    fun attach(shown: DemoScreen?) {
        screen = shown
        if (shown == null) detection.handler.post(camera::stop) else refresh()
    }

    /** Take over new settings and whatever follows from them. */
    fun change(next: Settings) {
        val previous = settings
        if (next == previous) return
        settings = next
        threshold = next.scoreThreshold
        if (next.model != previous.model || next.options != previous.options) {
            loaded = null
            result.clear()
        }
        if (next.scoreThreshold != previous.scoreThreshold && next.copy(scoreThreshold = previous.scoreThreshold) == previous) {
            if (still != null) detectStill() else screen?.render()
            return
        }
        refresh()
    }

    /** Show the photograph behind [uri]; null goes back to the camera. */
    fun showStill(uri: Uri?) {
        still = uri
        result.clear()
        refresh()
    }

    /** Whether a photograph is shown or was tried. */
    val showsStill: Boolean get() = still != null

    /** Try again after something was missing: a permission, the camera, a model. */
    fun refresh() {
        val name = settings.model
        when {
            name == null -> become(UiState.NoModel)
            loaded == null -> load(name)
            still != null -> detectStill()
            else -> chooseCamera()
        }
    }

    /** Stream [mode] to [texture]; [turn] makes its frames upright on the screen. */
    fun stream(
        mode: CameraMode,
        texture: SurfaceTexture,
        turn: Rotation,
    ) {
        rotation = turn
        detection.handler.post { camera.start(mode, texture) }
    }

    /** The preview surface is gone. */
    fun endStream() {
        detection.handler.post(camera::stop)
    }

    /** The model is no longer needed. */
    fun close() {
        detection.handler.post(camera::stop)
        detection.close()
    }

    override fun onFrame(reader: ImageReader) {
        val image = reader.acquireLatestImage() ?: return
        val frame = image.use { frames.read(it, rotation) }
        try {
            if (detection.detect(frame, threshold, result)) main.post(publish)
        } catch (error: DetectorException) {
            main.post { become(UiState.BrokenModel(settings.model.orEmpty(), error.message.orEmpty())) }
            camera.stop()
        }
    }

    override fun onLost(reason: String) {
        main.post { become(UiState.CameraLost(reason)) }
    }

    private fun load(name: String) {
        become(UiState.Starting)
        if (loading?.sameModel(settings) == true) return
        val wanted = settings
        loading = wanted
        detection.load(name, wanted.options) { outcome -> main.post { if (settings.sameModel(wanted)) take(outcome, name) } }
    }

    private fun Settings.sameModel(other: Settings) = model == other.model && options == other.options

    private fun take(
        outcome: LoadResult,
        name: String,
    ) {
        loading = null
        when (outcome) {
            is LoadResult.Broken -> {
                become(UiState.BrokenModel(name, outcome.reason))
            }

            is LoadResult.NoGpu -> {
                become(UiState.NoGpu(outcome.reason))
            }

            is LoadResult.Loaded -> {
                loaded = outcome
                refresh()
            }
        }
    }

    private fun chooseCamera() {
        val mode = loaded?.let { camera.choose(settings.frontCamera, it.longerSide) }
        become(
            when {
                mode == null -> UiState.NoCamera
                !CameraPermission.isGiven(context) -> UiState.PermissionNeeded
                else -> UiState.Live(mode)
            },
        )
    }

    private fun detectStill() {
        val uri = still ?: return
        val limit = threshold
        if (state !is UiState.Still) become(UiState.Starting)
        detection.handler.post {
            val next =
                try {
                    val bitmap = StillLoader.load(context.contentResolver, uri)
                    detection.detect(StillLoader.pixelsOf(bitmap), limit, result)
                    UiState.Still(bitmap, result.faces.count)
                } catch (error: DetectorException) {
                    UiState.BrokenStill(error.message.orEmpty())
                }
            main.post { if (still == uri) become(next) }
        }
    }

    private fun become(next: UiState) {
        state = next
        screen?.render()
        if (next is UiState.Still) screen?.renderFaces()
    }
}

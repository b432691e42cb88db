package org.featherface.demo.ui

import android.content.Context
import android.content.Intent
import android.graphics.SurfaceTexture
import android.media.ImageReader
import android.net.Uri
import android.os.Handler
import android.os.HandlerThread
import android.os.Looper
import android.os.Process
import org.featherface.demo.benchmark.OwnOrder
import org.featherface.demo.camera.CameraController
import org.featherface.demo.camera.CameraListener
import org.featherface.demo.camera.CameraMode
import org.featherface.demo.camera.FrameReader
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.Rotation
import org.featherface.demo.detector.YuvImage
import org.featherface.demo.runtime.ModelSource
import org.featherface.demo.runtime.OwnModels
import org.featherface.demo.runtime.PickedFile
import org.featherface.demo.still.Picture
import java.io.File
import kotlin.concurrent.thread

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
 * @param packed the models inside the app
 * @param settings to begin with; the first model where they name none
 * @param still photograph to begin with; null: the camera
 */
class DemoModel(
    private val context: Context,
    packed: ModelSource,
    factory: DetectorFactory,
    settings: Settings = Settings(),
    still: Uri? = null,
) : CameraListener {
    private val main = Handler(Looper.getMainLooper())
    private val models = OwnModels(File(context.filesDir, "models"), packed)

    /** The newest faces. */
    val result = FrameResult()
    private val detection = DetectionThread(models, factory, result, ::onFaces)
    private val cameraThread = HandlerThread("camera", Process.THREAD_PRIORITY_DISPLAY).apply { start() }
    private val cameraHandler = Handler(cameraThread.looper)
    private val camera = CameraController(context, cameraHandler, this)
    private val frames = FrameReader()

    // A frame may have been on its way when the state changed: its faces belong to no other picture.
    private val publish = Runnable { if (state is UiState.Live) screen?.renderFaces() }
    private var screen: DemoScreen? = null
    private var loaded: LoadResult.Loaded? = null
    private var loading: Settings? = null
    private var reading: Uri? = null
    private var cameraRequest = 0
    private val search = Runnable(::searchPicture)

    @Volatile private var rotation = Rotation.NONE

    @Volatile private var picture: Picture? = null

    var state: UiState = UiState.Starting
        private set
    var modelNames: List<String> = models.names()
        private set

    /** What people call the models, in the order of their names. */
    val modelLabels: List<String> get() = modelNames.map { ModelLabel.of(it, modelNames, models.bytes(it)) }
    var settings = if (settings.model in modelNames) settings else settings.copy(model = modelNames.firstOrNull())
        private set

    /** The photograph that is shown or was tried; null: the camera. */
    var still: Uri? = still
        private set

    init {
        heed(this.settings)
    }

    /** The threshold in force: the user's or the model's. */
    val scoreThreshold: Float get() = settings.scoreThreshold ?: loaded?.scoreThreshold ?: 0f

    /** Whether the model in force is one that the user opened, and can be removed again. */
    val isOwnModel: Boolean get() = settings.model?.let(models::isOwn) ?: false

    /** Whether there is a float model to compare the one in force with. */
    val hasTwin: Boolean get() = loaded?.floatTwin != null

    /** Whether there is something to compare them on. */
    val canCompare: Boolean get() = state is UiState.Live || state is UiState.Standing

    /** How the camera's pictures compare with the calibration's. */
    val drift: DriftReport get() = detection.drift

    /** Whether there is a choice between front and back. */
    var hasBothCameras = false
        private set

    /** Whether the system asks no more for the camera; the screen finds out. */
    var isPermissionFinal = false

    /** Show this model's state on [shown], or on no screen. */
    fun attach(shown: DemoScreen?) {
        screen = shown
        if (shown == null) settings.keep(context)
        when {
            shown == null -> cameraHandler.post(camera::stop)
            state is UiState.Standing -> become(state)
            else -> refresh()
        }
    }

    /** Take over new settings and whatever follows from them. */
    fun change(next: Settings) {
        val previous = settings
        if (next == previous) return
        settings = next
        heed(next)
        if (next.sameModel(previous)) {
            if (next.frontCamera == previous.frontCamera) return renew(searches = next.scoreThreshold != previous.scoreThreshold)
        } else {
            forgetModel()
        }
        refresh()
    }

    private fun heed(settings: Settings) {
        detection.threshold = settings.scoreThreshold
        detection.isSteady = settings.isSteady
        detection.isTwinWatching = settings.isTwinWatching
    }

    /** Show settings that neither the camera nor the network has to do with. */
    private fun renew(searches: Boolean) {
        val shown = state
        when {
            !searches || loaded == null -> Unit
            shown is UiState.Compared -> compare(Picture(shown.bitmap))
            still != null -> showPicture()
        }
        show()
    }

    private fun forgetModel() {
        loaded = null
        result.clear()
    }

    /** Keep the model in [files], which the user has picked, and use it from now on. */
    fun openModel(files: List<Uri>) {
        thread(name = "model") {
            try {
                val name = models.add(files.map { PickedFile.of(context.contentResolver, it) })
                main.post { use(name) }
            } catch (error: DetectorException) {
                main.post { become(UiState.BrokenModel(files.joinToString { it.lastPathSegment.orEmpty() }, error.message.orEmpty())) }
            }
        }
    }

    /** Lay the chosen model out for a measurement; [start] then gets what starts it. */
    fun measure(start: (Intent) -> Unit) {
        val wanted = settings
        val name = wanted.model ?: return
        thread(name = "measure") {
            try {
                val order = OwnOrder.prepare(context, models.open(name), wanted.options)
                main.post { start(order) }
            } catch (error: DetectorException) {
                main.post { become(UiState.BrokenModel(name, error.message.orEmpty())) }
            }
        }
    }

    /** Remove the model in force, which is the user's own. */
    fun removeModel() {
        val name = settings.model ?: return
        try {
            models.remove(name)
            use(models.names().let { left -> name.takeIf { it in left } ?: left.firstOrNull() })
        } catch (error: DetectorException) {
            become(UiState.BrokenModel(name, error.message.orEmpty()))
        }
    }

    /** Compare the model in force with its float twin on the picture that is shown, or on the camera's next frame; or end that. */
    fun compare() {
        when (state) {
            is UiState.Compared -> refresh()
            is UiState.Still -> picture?.let(::compare)
            !is UiState.Live -> Unit
            else -> detection.frameWanted = { frame -> main.post { if (state is UiState.Live) compare(Picture.of(frame)) } }
        }
    }

    private fun compare(shown: Picture) {
        val names = (settings.model ?: return) to (loaded?.floatTwin ?: return)
        detection.handler.post {
            val next =
                try {
                    detection.compare(shown.pixels)?.let { UiState.Compared(shown.bitmap, it) }
                } catch (error: DetectorException) {
                    UiState.BrokenModel(names.second, error.message.orEmpty())
                }
            main.post { if (next != null && settings.model == names.first && canCompare) leaveCamera(next) }
        }
    }

    private fun leaveCamera(next: UiState) {
        cameraRequest++
        become(next)
    }

    private fun use(name: String?) {
        modelNames = models.names()
        settings = settings.copy(model = name)
        loading = null // of one that was called so before
        forgetModel()
        refresh()
    }

    /** Show the photograph behind [uri]; null goes back to the camera. */
    fun showStill(uri: Uri?) {
        still = uri
        picture = null
        result.clear()
        refresh()
    }

    /** Try again after something was missing: a permission, the camera, a model. */
    fun refresh() {
        val name = settings.model
        when {
            name == null -> become(UiState.NoModel)
            loaded == null -> load(name)
            still != null -> showPicture()
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
        cameraHandler.post { camera.start(mode, texture) }
    }

    /** The preview surface is gone. */
    fun endStream() {
        cameraHandler.post(camera::stop)
    }

    /** The model is no longer needed. */
    fun close() {
        cameraHandler.post(camera::close)
        cameraThread.quitSafely()
        detection.close()
    }

    override fun onFrame(reader: ImageReader) {
        reader.acquireLatestImage()?.use { offer(frames.read(it, rotation)) }
    }

    /** Take in a camera frame; on the camera's thread. */
    internal fun offer(frame: YuvImage) =
        try {
            detection.offer(frame)
        } catch (error: DetectorException) {
            onFaces(error.message.orEmpty())
        }

    /** On the detector's or the camera's thread. */
    private fun onFaces(problem: String?) {
        if (problem == null) {
            main.post(publish)
            return
        }
        cameraHandler.post(camera::stop)
        main.post { become(UiState.BrokenModel(settings.model.orEmpty(), problem)) }
    }

    override fun onLost(
        reason: String,
        comesBack: Boolean,
    ) {
        main.post { become(UiState.CameraLost(reason, comesBack)) }
    }

    override fun onAvailable() {
        main.post { if ((state as? UiState.CameraLost)?.comesBack == true && screen != null) refresh() }
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

    /** On the camera's thread, because the system may take its time to answer. */
    private fun chooseCamera() {
        val needed = loaded?.longerSide ?: return
        val front = settings.frontCamera
        val request = ++cameraRequest
        cameraHandler.post {
            val both = camera.hasBothSides()
            val mode = camera.choose(front, needed)
            main.post {
                hasBothCameras = both
                if (request == cameraRequest && still == null && loaded != null) take(mode)
            }
        }
    }

    private fun take(mode: CameraMode?) =
        become(
            when {
                mode == null -> UiState.NoCamera
                !CameraPermission.isGiven(context) -> UiState.PermissionNeeded(isPermissionFinal)
                else -> UiState.Live(mode)
            },
        )

    /** Read the photograph if that has not been done, and search it with the settings in force. */
    private fun showPicture() {
        val uri = still ?: return
        if (picture == null) {
            if (state != UiState.OpeningStill) become(UiState.OpeningStill)
            if (reading == uri) return
            reading = uri
            Picture.read(context.contentResolver, uri) { read, problem -> main.post { if (still == uri) take(read, problem) } }
        } else {
            if (state !is UiState.Still) become(UiState.OpeningStill)
            detection.handler.removeCallbacks(search)
            detection.handler.post(search)
        }
    }

    private fun take(
        read: Picture?,
        problem: String,
    ) {
        reading = null
        picture = read
        if (read == null) become(UiState.BrokenStill(problem)) else refresh()
    }

    /** On the detector's thread. */
    private fun searchPicture() {
        val shown = picture ?: return
        val problem =
            try {
                detection.detect(shown.pixels)
                null
            } catch (error: DetectorException) {
                error.message.orEmpty()
            }
        val faces = result.faces.count
        main.post {
            if (picture !== shown) return@post
            become(if (problem == null) UiState.Still(shown.bitmap, faces) else UiState.BrokenModel(settings.model.orEmpty(), problem))
        }
    }

    private fun become(next: UiState) {
        state = next
        show()
    }

    private fun show() {
        screen?.render()
        if (state is UiState.Standing) screen?.renderFaces()
    }
}

package org.featherface.demo

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.SurfaceTexture
import android.hardware.display.DisplayManager
import android.net.Uri
import android.os.BadParcelableException
import android.os.Bundle
import android.os.Parcelable
import android.view.TextureView
import android.view.View
import android.view.WindowManager
import android.widget.ImageView
import org.featherface.demo.camera.CameraMode
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.Rotation
import org.featherface.demo.ui.AspectFrame
import org.featherface.demo.ui.CameraPermission
import org.featherface.demo.ui.Controls
import org.featherface.demo.ui.DemoModel
import org.featherface.demo.ui.DemoScreen
import org.featherface.demo.ui.DisplayTurns
import org.featherface.demo.ui.EdgeToEdge
import org.featherface.demo.ui.MessagePanel
import org.featherface.demo.ui.OverlayView
import org.featherface.demo.ui.PreviewTransform
import org.featherface.demo.ui.Settings
import org.featherface.demo.ui.StatsText
import org.featherface.demo.ui.UiState
import org.featherface.demo.ui.find
import android.provider.Settings as SystemSettings

/** The app's screen: the camera or a picture with its faces, and the controls. */
class MainActivity :
    Activity(),
    DemoScreen,
    TextureView.SurfaceTextureListener {
    internal lateinit var model: DemoModel
        private set
    private lateinit var preview: TextureView
    private lateinit var still: ImageView
    private lateinit var overlay: OverlayView
    private lateinit var frame: AspectFrame
    private lateinit var message: MessagePanel
    private lateinit var controls: Controls
    private lateinit var stats: StatsText
    private val displays by lazy(LazyThreadSafetyMode.NONE) { getSystemService(DISPLAY_SERVICE) as DisplayManager }
    private val turns = DisplayTurns { renderTurned() }
    private var streaming: CameraMode? = null
    private var streamingTurn = 0
    private var hasAsked = false
    private var asksAgain = false

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(R.layout.main)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        preview = find(R.id.preview)
        still = find(R.id.still)
        overlay = find(R.id.overlay)
        frame = find(R.id.picture_frame)
        preview.surfaceTextureListener = this
        hasAsked = saved?.getBoolean(HAS_ASKED) ?: false
        val kept = lastNonConfigurationInstance as DemoModel?
        model = kept ?: newModel(saved)
        message = MessagePanel(find(R.id.message))
        stats = StatsText(find(R.id.sheet), overlay)
        controls = Controls(find(R.id.sheet), model, ::openPicture, ::openModel, ::removeModel) { model.measure(::startActivity) }
        EdgeToEdge.apply(find(R.id.root), find(R.id.sheet), find(R.id.message))
        if (saved == null) takePicture(intent)
    }

    private fun newModel(saved: Bundle?): DemoModel {
        @Suppress("DEPRECATION") // its successor exists only from API 33 on
        val still: Uri? = saved?.getParcelable(STILL)
        return DemoModel(applicationContext, Wiring.models(this), Wiring.factory, Settings.kept(this), still)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        takePicture(intent)
    }

    override fun onResume() {
        super.onResume()
        displays.registerDisplayListener(turns, null)
        model.attach(this)
    }

    override fun onPause() {
        displays.unregisterDisplayListener(turns)
        streaming = null
        model.attach(null)
        super.onPause()
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putBoolean(HAS_ASKED, hasAsked)
        state.putParcelable(STILL, model.still)
    }

    @Deprecated("of the framework; its successor is not in the framework")
    override fun onRetainNonConfigurationInstance(): Any = model

    override fun onDestroy() {
        super.onDestroy()
        if (!isChangingConfigurations) model.close()
    }

    override fun render() {
        val state = model.state
        controls.render()
        preview.visibility = if (state is UiState.Live) View.VISIBLE else View.GONE
        still.visibility = if (state is UiState.Standing) View.VISIBLE else View.GONE
        still.setImageBitmap((state as? UiState.Standing)?.bitmap)
        if (state !is UiState.Live && streaming != null) {
            streaming = null
            model.endStream()
        }
        if (state !is UiState.Standing && state !is UiState.Live) overlay.clear()
        stats.render(state)
        when (state) {
            is UiState.Live -> renderLive(state.mode)
            is UiState.Standing -> frame.setShape(state.bitmap.width, state.bitmap.height)
            is UiState.PermissionNeeded -> askOnce()
            else -> Unit
        }
        message.render(state, ::actOn)
    }

    override fun renderFaces() {
        val mirrored = (model.state as? UiState.Live)?.mode?.isFront ?: false
        val comparison = (model.state as? UiState.Compared)?.comparison
        overlay.show(comparison?.candidate ?: model.result, mirrored, comparison?.reference)
        stats.addFrame(model.state, model.drift)
    }

    override fun onRequestPermissionsResult(
        request: Int,
        permissions: Array<out String>,
        results: IntArray,
    ) {
        val refused = results.firstOrNull() == PackageManager.PERMISSION_DENIED
        model.isPermissionFinal = refused && asksAgain && !shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)
        asksAgain = false
        model.refresh()
    }

    private fun openSettings() {
        val page = Uri.fromParts("package", packageName, null)
        startActivity(Intent(SystemSettings.ACTION_APPLICATION_DETAILS_SETTINGS, page))
    }

    @Deprecated("of the framework; its successor exists only from API 33 on")
    override fun onBackPressed() {
        if (model.state is UiState.Compared) {
            model.compare()
        } else if (model.still != null) {
            model.showStill(null)
        } else {
            @Suppress("DEPRECATION")
            super.onBackPressed()
        }
    }

    @Deprecated("of the framework; its successor is not in the framework")
    override fun onActivityResult(
        request: Int,
        result: Int,
        data: Intent?,
    ) {
        if (result != RESULT_OK || data == null) return
        if (request == OPEN_PICTURE) data.data?.let(model::showStill)
        if (request == OPEN_MODEL) model.openModel(pickedFiles(data))
    }

    /** One file is given by itself, several in a list. */
    private fun pickedFiles(data: Intent): List<Uri> =
        data.clipData?.let { clip -> List(clip.itemCount) { clip.getItemAt(it).uri } } ?: listOfNotNull(data.data)

    override fun onSurfaceTextureAvailable(
        texture: SurfaceTexture,
        width: Int,
        height: Int,
    ) = render()

    override fun onSurfaceTextureSizeChanged(
        texture: SurfaceTexture,
        width: Int,
        height: Int,
    ) {
        PreviewTransform.apply(preview, displayTurn())
    }

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean {
        streaming = null
        model.endStream()
        return true
    }

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit

    private fun renderLive(mode: CameraMode) {
        val turn = Rotation.ofCamera(mode.sensorDegrees, displayTurn(), mode.isFront)
        val size = mode.size
        frame.setShape(if (turn.isSideways) size.height else size.width, if (turn.isSideways) size.width else size.height)
        val texture = preview.surfaceTexture ?: return
        PreviewTransform.apply(preview, displayTurn())
        if (mode == streaming) return
        streaming = mode
        streamingTurn = displayTurn()
        stats.reset()
        overlay.clear()
        model.stream(mode, texture, turn)
    }

    /** A turn by 180 degrees comes without a new configuration: nobody else would notice. */
    private fun renderTurned() {
        if (streaming == null || displayTurn() == streamingTurn) return
        streaming = null
        render()
    }

    /** Counter-clockwise turn of the screen's content in degrees. */
    @Suppress("DEPRECATION") // its successor exists only from API 30 on
    private fun displayTurn() = 90 * windowManager.defaultDisplay.rotation

    private fun askOnce() {
        if (hasAsked) return
        hasAsked = true
        CameraPermission.ask(this)
    }

    private fun actOn(state: UiState) {
        when (state) {
            is UiState.PermissionNeeded -> {
                asksAgain = true
                if (state.isFinal) openSettings() else CameraPermission.ask(this)
            }

            is UiState.NoGpu -> {
                val settings = model.settings
                model.change(settings.copy(options = settings.options.copy(delegate = Delegate.CPU)))
            }

            is UiState.BrokenStill -> {
                model.showStill(null)
            }

            is UiState.NoModel -> {
                openModel()
            }

            else -> {
                model.refresh()
            }
        }
    }

    private fun openPicture() = pick("image/*", R.string.open_picture, OPEN_PICTURE, several = false)

    /** Model files have no type of their own, and with one goes the file of its spec. */
    private fun openModel() = pick("*/*", R.string.open_model, OPEN_MODEL, several = true)

    private fun removeModel() {
        val asked = AlertDialog.Builder(this).setMessage(getString(R.string.remove_model_text, model.settings.model))
        asked.setPositiveButton(R.string.remove) { _, _ -> model.removeModel() }.setNegativeButton(android.R.string.cancel, null).show()
    }

    @Suppress("DEPRECATION") // the framework has no successor
    private fun pick(
        type: String,
        title: Int,
        request: Int,
        several: Boolean,
    ) {
        val intent = Intent(Intent.ACTION_GET_CONTENT).setType(type).addCategory(Intent.CATEGORY_OPENABLE)
        intent.putExtra(Intent.EXTRA_ALLOW_MULTIPLE, several)
        startActivityForResult(Intent.createChooser(intent, getString(title)), request)
    }

    private fun takePicture(intent: Intent?) {
        if (intent?.action != Intent.ACTION_SEND) return
        val shared =
            try {
                @Suppress("DEPRECATION") // its successor exists only from API 33 on
                intent.getParcelableExtra<Parcelable>(Intent.EXTRA_STREAM)
            } catch (error: BadParcelableException) {
                null // of a class that only the other app has
            }
        (shared as? Uri)?.let(model::showStill)
    }

    private companion object {
        const val OPEN_PICTURE = 2
        const val OPEN_MODEL = 3
        const val HAS_ASKED = "has_asked"
        const val STILL = "still"
    }
}

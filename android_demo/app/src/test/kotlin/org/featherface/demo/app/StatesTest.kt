package org.featherface.demo.app

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.ClipData
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.graphics.Insets
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.view.WindowInsets
import android.widget.Button
import android.widget.Spinner
import android.widget.TextView
import org.featherface.demo.MainActivity
import org.featherface.demo.R
import org.featherface.demo.Wiring
import org.featherface.demo.benchmark.BenchmarkActivity
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.GpuUnavailableException
import org.featherface.demo.detector.jsonOf
import org.featherface.demo.detector.yuvOf
import org.featherface.demo.runtime.BundledModels
import org.featherface.demo.ui.CameraPermission
import org.featherface.demo.ui.OverlayView
import org.featherface.demo.ui.UiState
import org.featherface.demo.ui.find
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowDialog
import org.robolectric.util.ReflectionHelpers
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.InputStream
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger

/** Every state of the app has its screen, and none crashes. */
class StatesTest : AppTest() {
    private val application = RuntimeEnvironment.getApplication()

    @Test
    fun withoutACameraItSaysSo() {
        val activity = start().get()
        await("no camera") { activity.model.state is UiState.NoCamera }
        assertShows(activity, R.string.no_camera_title)
    }

    @Test
    fun withoutPermissionItAsksOnceAndThenExplains() {
        addCamera(application, isAllowed = false)
        val controller = start()
        val activity = controller.get()
        await("permission") { activity.model.state is UiState.PermissionNeeded }
        assertEquals(Manifest.permission.CAMERA, shadowOf(activity).lastRequestedPermission.requestedPermissions.single())
        assertShows(activity, R.string.permission_title)
        answer(activity, PackageManager.PERMISSION_DENIED)
        settle(activity, isFinal = false)
        activity.find<Button>(R.id.message_action).performClick()
        answer(activity)
        settle(activity, isFinal = false)
        activity.find<Button>(R.id.message_action).performClick()
        answer(activity, PackageManager.PERMISSION_DENIED)
        settle(activity, isFinal = true)
        assertFalse("nobody is thrown into the settings", opensSettings(activity))
        assertEquals("Open the settings", activity.find<Button>(R.id.message_action).text.toString())
        activity.find<Button>(R.id.message_action).performClick()
        assertTrue(opensSettings(activity))
    }

    private fun settle(
        activity: MainActivity,
        isFinal: Boolean,
    ) {
        await("permission, final $isFinal") { activity.model.state == UiState.PermissionNeeded(isFinal) }
    }

    private fun opensSettings(activity: MainActivity): Boolean {
        val started = generateSequence { shadowOf(activity).nextStartedActivity }.map { it.action }
        return android.provider.Settings.ACTION_APPLICATION_DETAILS_SETTINGS in started.toList()
    }

    private fun answer(
        activity: MainActivity,
        vararg results: Int,
    ) {
        // What the framework does before it hands on the answer; Robolectric has no way to give one.
        ReflectionHelpers.setField(activity, "mHasCurrentPermissionsRequest", false)
        activity.onRequestPermissionsResult(CameraPermission.REQUEST, arrayOf(Manifest.permission.CAMERA), results)
    }

    @Test
    fun withPermissionTheCameraRuns() {
        addCamera(application)
        val activity = start().get()
        await("live") { activity.model.state is UiState.Live }
        assertEquals(View.VISIBLE, activity.find<View>(R.id.preview).visibility)
        assertEquals(View.GONE, activity.find<View>(R.id.message).visibility)
    }

    @Test
    fun backLeavesThePictureAndThenTheApp() {
        val activity = start(share(picture())).get()
        await("still") { activity.model.state is UiState.Still }
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        await("camera") { activity.model.state is UiState.NoCamera }
        assertFalse(activity.isFinishing)
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        assertTrue(activity.isFinishing)
    }

    @Test
    fun aCameraThatWasTakenComesBackByItself() {
        addCamera(application)
        val model = start().get().model
        await("live") { model.state is UiState.Live }
        model.onLost("the camera reports error 4", comesBack = false)
        await("broken") { model.state is UiState.CameraLost }
        model.onAvailable()
        shadowOf(android.os.Looper.getMainLooper()).idle()
        assertTrue("a broken one would be opened again and again", model.state is UiState.CameraLost)
        model.onLost("another app has taken the camera", comesBack = true)
        await("taken") { (model.state as? UiState.CameraLost)?.comesBack == true }
        model.onAvailable()
        await("back") { model.state is UiState.Live }
    }

    @Test
    fun theSettingsSurviveTheAppsEnd() {
        val first = start()
        await("loaded") { first.get().model.state is UiState.NoCamera }
        val settings = first.get().model.settings
        val options = settings.options.copy(threads = 1)
        val changed = settings.copy(options = options, frontCamera = true, scoreThreshold = 0.8f, isSteady = false, isTwinWatching = true)
        first.get().model.change(changed)
        first.pause().stop().destroy()
        assertEquals(changed, start().get().model.settings)
    }

    @Test
    fun onlyAPictureAnnouncesItsFaces() {
        addCamera(application)
        val live = start().get()
        await("live") { live.model.state is UiState.Live }
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_NONE, live.find<View>(R.id.overlay).accessibilityLiveRegion)
        live.model.showStill(null)
        val still = start(share(picture())).get()
        await("still") { still.model.state is UiState.Still }
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, still.find<View>(R.id.overlay).accessibilityLiveRegion)
    }

    @Test
    fun anAppWithoutModelsSaysHowToGetOne() {
        Wiring.models = { ScriptedModels(*emptyArray<String>()) }
        val activity = start().get()
        await("no model") { activity.model.state is UiState.NoModel }
        assertShows(activity, R.string.no_model_title)
    }

    @Test
    fun aBrokenModelInTheAssetsIsNamedWithTheReason() {
        Wiring.models = { BundledModels(it.assets) }
        val activity = start().get()
        await("broken") { activity.model.state is UiState.BrokenModel }
        assertEquals("broken.tflite cannot be used", activity.find<TextView>(R.id.message_title).text.toString())
        assertTrue(activity.find<TextView>(R.id.message_text).text.contains("not a TFLite file"))
    }

    @Test
    fun aModelThatTheRuntimeRefusesIsNamedToo() {
        factory.refusal = { DetectorException("operator version 99 is too new") }
        val activity = start().get()
        await("broken") { activity.model.state is UiState.BrokenModel }
        assertTrue(activity.find<TextView>(R.id.message_text).text.contains("operator version 99"))
        factory.refusal = { null }
        activity.find<Button>(R.id.message_action).performClick()
        await("recovered") { activity.model.state is UiState.NoCamera }
    }

    @Test
    fun withoutAGpuTheCpuIsOffered() {
        factory.refusal = { if (it.delegate == Delegate.GPU) GpuUnavailableException("no OpenCL") else null }
        val activity = start().get()
        await("cpu") { activity.model.state is UiState.NoCamera }
        val settings = activity.model.settings
        activity.model.change(settings.copy(options = settings.options.copy(delegate = Delegate.GPU)))
        await("no gpu") { activity.model.state is UiState.NoGpu }
        assertShows(activity, R.string.no_gpu_title)
        activity.find<Button>(R.id.message_action).performClick()
        await("cpu again") { activity.model.state is UiState.NoCamera }
        assertEquals(Delegate.CPU, activity.model.settings.options.delegate)
    }

    @Test
    fun aSharedPictureShowsItsFaces() {
        val activity = start(share(picture())).get()
        await("still") { activity.model.state is UiState.Still }
        val overlay = activity.find<OverlayView>(R.id.overlay)
        assertEquals(18, (activity.model.state as UiState.Still).faces)
        await("faces") { overlay.faceCount == 18 }
        assertEquals("18 faces", overlay.contentDescription)
        assertTrue(activity.find<TextView>(R.id.stats).text.startsWith("18 faces"))
    }

    @Test
    fun aHigherThresholdLeavesFewerFaces() {
        val activity = start(share(picture())).get()
        await("still") { (activity.model.state as? UiState.Still)?.faces == 18 }
        activity.model.change(activity.model.settings.copy(scoreThreshold = 0.7f))
        await("fewer") { (activity.model.state as? UiState.Still)?.faces == 8 }
    }

    @Test
    fun aPictureIsReadOnceHoweverOftenItIsSearched() {
        val reads = AtomicInteger()
        val content = picture()
        val controller = start(share { ByteArrayInputStream(content).also { reads.incrementAndGet() } })
        val model = controller.get().model
        await("still") { (model.state as? UiState.Still)?.faces == 18 }
        val once = reads.get()
        for (percent in 40..70) model.change(model.settings.copy(scoreThreshold = percent / 100f))
        await("fewer") { (model.state as? UiState.Still)?.faces == 8 }
        assertTrue("searches that nobody waits for are left out", factory.opened.single().runs < 32)
        controller.pause().resume()
        controller.recreate()
        assertEquals("shown at once", 8, controller.get().find<OverlayView>(R.id.overlay).faceCount)
        assertEquals(once, reads.get())
    }

    @Test
    fun whatGoesWrongInAnotherAppsProviderIsSaid() {
        val activity = start(share { throw UnsupportedOperationException("not today") }).get()
        await("broken still") { activity.model.state is UiState.BrokenStill }
        assertTrue(activity.find<TextView>(R.id.message_text).text.contains("not today"))
    }

    @Test
    fun aProviderThatNeverAnswersHoldsUpNothing() {
        val forever = CountDownLatch(1)
        val activity = start(share { ByteArrayInputStream(ByteArray(0)).also { forever.await() } }).get()
        await("opening") { activity.model.state == UiState.OpeningStill }
        assertShows(activity, R.string.opening_title)
        activity.find<Button>(R.id.camera).performClick()
        await("back") { activity.model.state is UiState.NoCamera }
        forever.countDown()
        await("end") { Thread.getAllStackTraces().keys.none { it.name == "picture" } }
    }

    @Test
    fun somethingElseThanAPictureIsNotTaken() {
        val intent = Intent(Intent.ACTION_SEND).setType("image/png").putExtra(Intent.EXTRA_STREAM, Intent("no picture"))
        val activity = start(intent).get()
        await("camera") { activity.model.state is UiState.NoCamera }
    }

    @Test
    fun afterTheSystemEndedItInTheBackgroundItGoesOnWhereItWas() {
        val intent = share(picture())
        val controller = start(intent)
        val before = controller.get().model
        await("still") { before.state is UiState.Still }
        val options = before.settings.options.copy(threads = 1)
        before.change(before.settings.copy(options = options, scoreThreshold = 0.7f))
        val saved = Bundle()
        controller.pause().stop().saveInstanceState(saved)
        val after =
            Robolectric
                .buildActivity(MainActivity::class.java, intent)
                .setup(saved)
                .get()
                .model
        assertNotSame(before, after)
        assertEquals(before.settings, after.settings)
        await("fewer") { (after.state as? UiState.Still)?.faces == 8 }
    }

    @Test
    fun aFileThatIsNoPictureIsRefused() {
        val activity = start(share("no picture".toByteArray())).get()
        await("broken still") { activity.model.state is UiState.BrokenStill }
        assertShows(activity, R.string.broken_still_title)
        activity.find<Button>(R.id.message_action).performClick()
        await("back") { activity.model.state is UiState.NoCamera }
    }

    @Test
    fun aRotationKeepsModelPictureAndSettings() {
        val controller = start(share(picture()))
        val before = controller.get()
        await("still") { before.model.state is UiState.Still }
        before.model.change(before.model.settings.copy(scoreThreshold = 0.9f))
        controller.recreate()
        val after = controller.get()
        assertSame(before.model, after.model)
        assertEquals(0.9f, after.model.scoreThreshold)
        await("still again") { after.model.state is UiState.Still }
        assertEquals("the network was loaded once", 1, factory.opened.size)
    }

    @Test
    fun leavingTheAppClosesTheNetwork() {
        val controller = start()
        await("loaded") { factory.opened.size == 1 }
        controller.pause().stop().destroy()
        await("closed") { factory.opened.single().isClosed }
    }

    @Test
    fun aModelFileIsOpenedAndStays() {
        val controller = start()
        val activity = controller.get()
        await("loaded") { activity.model.state is UiState.NoCamera }
        activity.find<View>(R.id.open_model).performClick()
        val asked = checkNotNull(shadowOf(activity).nextStartedActivityForResult)
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, picked("mine.tflite", "mine.tflite.json"))
        await("opened") { activity.model.settings.model == "mine.tflite" && activity.model.state is UiState.NoCamera }
        assertEquals(2, factory.opened.size)
        assertEquals("mine", activity.find<Spinner>(R.id.model).selectedItem)
        controller.pause().stop().destroy()
        val next = start().get().model
        assertEquals(listOf("mine.tflite", "featherface_v2_320x320_int8.tflite"), next.modelNames)
        assertEquals("mine.tflite", next.settings.model)
    }

    @Test
    fun anOpenedModelIsRemovedAgainAfterAQuestion() {
        val activity = start().get()
        val remove = activity.find<View>(R.id.remove_model)
        await("loaded") { activity.model.state is UiState.NoCamera }
        assertEquals("a packed one stays", View.GONE, remove.visibility)
        val names = listOf("mine.tflite", "mine.tflite.json").map { provide(it, contentOf(it)) }
        activity.model.openModel(names)
        await("opened") { activity.model.settings.model == "mine.tflite" && activity.model.state is UiState.NoCamera }
        assertEquals(View.VISIBLE, remove.visibility)
        remove.performClick()
        assertEquals("not yet", 2, activity.model.modelNames.size)
        (ShadowDialog.getLatestDialog() as AlertDialog).getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        await("the packed one") { factory.opened.size == 3 && activity.model.state is UiState.NoCamera }
        assertEquals(listOf("featherface_v2_320x320_int8.tflite"), activity.model.modelNames)
        assertEquals("int8 · 320", activity.find<Spinner>(R.id.model).selectedItem)
        assertEquals(View.GONE, remove.visibility)
    }

    @Test
    fun aPictureIsComparedWithTheFloatModel() {
        Wiring.models = { ScriptedModels(*TWINS) }
        val activity = start(share(picture())).get()
        await("still") { activity.model.state is UiState.Still }
        val compare = activity.find<Button>(R.id.compare)
        compare.performClick()
        await("compared") { activity.model.state is UiState.Compared }
        val stats = activity.find<TextView>(R.id.stats)
        assertTrue(stats.text.toString(), stats.text.startsWith("18 of 18 faces the same, scores within 0.00\n"))
        assertEquals(2, factory.opened.size)
        activity.model.change(activity.model.settings.copy(scoreThreshold = 0.7f))
        await("anew") { stats.text.startsWith("8 of 8 ") }
        assertEquals("the float model is loaded once", 2, factory.opened.size)
        compare.performClick()
        await("ended") { (activity.model.state as? UiState.Still)?.faces == 8 }
        activity.model.change(activity.model.settings.copy(model = TWINS.last()))
        await("closed") { factory.opened.take(2).all { it.isClosed } && activity.model.state is UiState.Still }
        assertEquals("nothing to compare it with", View.GONE, compare.visibility)
    }

    @Test
    fun theCamerasNextFrameIsCompared() {
        Wiring.models = { ScriptedModels(*TWINS) }
        addCamera(application)
        val activity = start().get()
        await("live") { activity.model.state is UiState.Live }
        activity.find<View>(R.id.compare).performClick()
        activity.model.offer(yuvOf(ArgbImage(IntArray(480 * 640) { 0xff336699.toInt() }, 480, 640), false, 0))
        await("compared") { activity.model.state is UiState.Compared }
        val frame = (activity.model.state as UiState.Compared).bitmap
        assertEquals(240 to 320, frame.width to frame.height)
        assertEquals(View.GONE, activity.find<View>(R.id.preview).visibility)
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        await("live again") { activity.model.state is UiState.Live }
        assertFalse(activity.isFinishing)
    }

    @Test
    fun aTwinThatTheRuntimeRefusesIsNamed() {
        Wiring.models = { ScriptedModels(*TWINS) }
        val activity = start(share(picture())).get()
        await("still") { activity.model.state is UiState.Still }
        factory.refusal = { DetectorException("no memory") }
        activity.find<View>(R.id.compare).performClick()
        await("refused") { activity.model.state is UiState.BrokenModel }
        assertTrue(activity.find<TextView>(R.id.message_title).text.startsWith(TWINS.last()))
        activity.find<Button>(R.id.message_action).performClick()
        await("as before") { activity.model.state is UiState.Still }
    }

    @Test
    fun closingTheControlsKeepsAPicturesFigures() {
        val activity = start(share(picture())).get()
        await("still") { activity.model.state is UiState.Still }
        activity.find<View>(R.id.toggle_controls).performClick()
        assertTrue(activity.find<TextView>(R.id.stats).text.startsWith("18 faces"))
    }

    @Test
    fun aFileThatIsNoModelIsNamedAndTheOldOneGoesOn() {
        val activity = start().get()
        await("loaded") { activity.model.state is UiState.NoCamera }
        activity.model.openModel(listOf(provide("cat.jpg", "meow".toByteArray())))
        await("refused") { activity.model.state is UiState.BrokenModel }
        assertTrue(activity.find<TextView>(R.id.message_text).text.contains("expected one .tflite file"))
        activity.find<Button>(R.id.message_action).performClick()
        await("as before") { activity.model.state is UiState.NoCamera }
        assertEquals("featherface_v2_320x320_int8.tflite", activity.model.settings.model)
    }

    @Test
    fun theModelInForceIsMeasured() {
        val activity = start().get()
        await("loaded") { activity.model.state is UiState.NoCamera }
        activity.find<View>(R.id.measure).performClick()
        var asked: Intent? = null
        await("asked") { shadowOf(activity).nextStartedActivity?.also { asked = it } != null }
        assertEquals(BenchmarkActivity::class.java.name, asked?.component?.className)
        assertEquals("models/featherface_v2_320x320_int8.tflite", asked?.getStringExtra("model"))
    }

    @Test
    fun theSheetOfControlsClosesAndStaysClosed() {
        val controller = start()
        val activity = controller.get()
        await("loaded") { activity.model.state is UiState.NoCamera }
        val loads = factory.opened.size
        assertEquals(View.VISIBLE, activity.find<View>(R.id.controls).visibility)
        activity.find<View>(R.id.toggle_controls).performClick()
        assertEquals(View.GONE, activity.find<View>(R.id.controls).visibility)
        assertEquals("Show the controls", activity.find<View>(R.id.toggle_controls).contentDescription)
        assertEquals("nothing is loaded for that", loads, factory.opened.size)
        controller.pause().stop().destroy()
        assertEquals(View.GONE, start().get().find<View>(R.id.controls).visibility)
    }

    @Test
    fun thePictureReachesTheEdgesAndTheSheetStaysOffTheBars() {
        val activity = start().get()
        val bars = WindowInsets.Builder().setInsets(WindowInsets.Type.systemBars(), Insets.of(0, 63, 0, 126)).build()
        val root = activity.find<View>(R.id.root)
        root.dispatchApplyWindowInsets(bars)
        assertEquals(listOf(0, 0), listOf(root.paddingTop, root.paddingBottom))
        assertEquals(126, activity.find<View>(R.id.sheet).paddingBottom)
        val message = activity.find<View>(R.id.message)
        assertEquals(message.paddingBottom + 63, message.paddingTop)
    }

    private fun picked(vararg names: String): Intent {
        val uris = names.map { provide(it, contentOf(it)) }
        val clip = ClipData.newRawUri("", uris.first())
        uris.drop(1).forEach { clip.addItem(ClipData.Item(it)) }
        return Intent().apply { clipData = clip }
    }

    private fun contentOf(name: String): ByteArray =
        if (name.endsWith(".tflite")) tinyFile().array() else """{"spec": ${jsonOf(Golden(GOLDEN).spec)}}""".toByteArray()

    private fun provide(
        name: String,
        content: ByteArray,
    ): Uri {
        val uri = Uri.parse("content://files/$name")
        shadowOf(application.contentResolver).registerInputStreamSupplier(uri) { ByteArrayInputStream(content) }
        return uri
    }

    private fun start(intent: Intent = Intent(Intent.ACTION_MAIN)): ActivityController<MainActivity> =
        Robolectric.buildActivity(MainActivity::class.java, intent).setup()

    private fun share(content: ByteArray) = share { ByteArrayInputStream(content) }

    private fun share(open: () -> InputStream): Intent {
        val uri = Uri.parse("content://pictures/one.png")
        shadowOf(application.contentResolver).registerInputStreamSupplier(uri) { open() }
        return Intent(Intent.ACTION_SEND).setType("image/png").putExtra(Intent.EXTRA_STREAM, uri)
    }

    private fun picture(): ByteArray {
        val photograph = System.getProperty("featherface.photograph")?.let(::File)
        if (photograph != null) return photograph.readBytes()
        val bitmap = Bitmap.createBitmap(640, 427, Bitmap.Config.ARGB_8888)
        bitmap.eraseColor(0xff336699.toInt())
        return ByteArrayOutputStream().also { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }.toByteArray()
    }

    private fun assertShows(
        activity: MainActivity,
        title: Int,
    ) {
        assertEquals(View.VISIBLE, activity.find<View>(R.id.message).visibility)
        assertEquals(activity.getString(title), activity.find<TextView>(R.id.message_title).text.toString())
    }

    private companion object {
        val TWINS = arrayOf("featherface_v2_320x320_int8.tflite", "featherface_v2_320x320_float32.tflite")
    }
}

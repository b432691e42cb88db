package org.featherface.demo.app

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.drawable.AdaptiveIconDrawable
import android.net.Uri
import android.os.Looper
import android.view.View
import android.widget.TextView
import org.featherface.demo.MainActivity
import org.featherface.demo.R
import org.featherface.demo.Wiring
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.StageTimes
import org.featherface.demo.detector.yuvOf
import org.featherface.demo.inference.LiteRtFactory
import org.featherface.demo.runtime.ModelSource
import org.featherface.demo.runtime.PushedModel
import org.featherface.demo.ui.StageBar
import org.featherface.demo.ui.UiState
import org.featherface.demo.ui.find
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import java.io.File

/** Renders the app's screens, with a real runtime where there is one; the files are for people to look at. */
class ScreenshotTest : AppTest() {
    private val application = RuntimeEnvironment.getApplication()

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-notnight-420dpi")
    fun aPictureByDay() = picture("picture_day")

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-night-420dpi")
    fun aPictureByNight() = picture("picture_night")

    @Test
    @Config(qualifiers = "w891dp-h411dp-land-night-420dpi")
    fun aPictureOnItsSide() = picture("picture_landscape")

    @Test
    @Config(qualifiers = "w320dp-h533dp-port-notnight-hdpi", sdk = [35])
    fun aSmallPhone() = picture("picture_small")

    @Test
    @Config(qualifiers = "w320dp-h533dp-port-night-hdpi", fontScale = 2f)
    fun aSmallPhoneWithLargeLetters() = picture("picture_large_letters")

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-night-420dpi")
    fun noCamera() {
        val activity = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        await("no camera") { activity.model.state is UiState.NoCamera }
        save(activity, "no_camera_night")
    }

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-notnight-420dpi")
    fun theCameraByDay() = camera("live_day", showsControls = true)

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-night-420dpi")
    fun theCameraWithClosedControls() = camera("live_closed_night", showsControls = false)

    @Test
    @Config(qualifiers = "w320dp-h533dp-port-notnight-hdpi", fontScale = 2f)
    fun theCameraOnASmallPhoneWithLargeLetters() = camera("live_large_letters", showsControls = true)

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-notnight-420dpi")
    fun aComparisonByDay() = comparison("comparison_day")

    @Test
    @Config(qualifiers = "w320dp-h533dp-port-night-hdpi", fontScale = 2f)
    fun aComparisonOnASmallPhoneWithLargeLetters() = comparison("comparison_large_letters")

    @Test
    @Config(qualifiers = "w411dp-h891dp-port-night-420dpi")
    fun theDriftWatchByNight() = drift("drift_night")

    @Test
    @Config(qualifiers = "w320dp-h533dp-port-notnight-hdpi", fontScale = 2f)
    fun theDriftWatchOnASmallPhoneWithLargeLetters() = drift("drift_large_letters")

    @Test
    fun theIconIsDrawnWholeInsideItsMask() {
        val icon = checkNotNull(application.getDrawable(R.drawable.ic_launcher))
        val shot = Bitmap.createBitmap(ICON, ICON, Bitmap.Config.ARGB_8888)
        icon.setBounds(0, 0, ICON, ICON)
        icon.draw(Canvas(shot))
        keep(shot, "icon")
        assertTrue(icon is AdaptiveIconDrawable)
    }

    /** Robolectric's camera delivers no picture: the faces of a real network's outputs, over black, and made-up times. */
    private fun camera(
        name: String,
        showsControls: Boolean,
    ) {
        val activity = live()
        activity.model.change(activity.model.settings.copy(showsControls = showsControls))
        val times = StageTimes().apply { doubleArrayOf(0.6, 14.2, 0.3, 0.1).copyInto(milliseconds) }
        val pipeline = DetectionPipeline(ScriptedDetector(Golden(GOLDEN)))
        val faces = pipeline.detect(ArgbImage(IntArray(480 * 640), 480, 640))
        activity.model.result.set(faces, times, checkNotNull(pipeline.fitted))
        activity.renderFaces()
        shadowOf(Looper.getMainLooper()).idle()
        activity.find<TextView>(R.id.fps).text = activity.getString(R.string.fps, 30.0)
        shadowOf(Looper.getMainLooper()).idle()
        val shot = save(activity, name)
        val wanted = StageBar.COLOURS.map(activity::getColor)
        assertTrue("each stage has its part of the bar", colours(shot, activity.find(R.id.stage_bar)).containsAll(wanted.take(2)))
        val legend = activity.find<TextView>(R.id.stages)
        if (showsControls) assertEquals("the legend is whole", legend.text.length, legend.layout.getLineEnd(legend.lineCount - 1))
    }

    private fun live(): MainActivity {
        addCamera(application)
        val activity = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        await("live") { activity.model.state is UiState.Live }
        return activity
    }

    /** Many frames whose scores are spread otherwise than the calibration's, and the float model on one of them. */
    private fun drift(name: String) {
        Wiring.models = { WatchedModels() }
        val activity = live()
        activity.model.change(activity.model.settings.copy(isTwinWatching = true))
        val grey = yuvOf(ArgbImage(IntArray(480 * 640) { 0xff808080.toInt() }, 480, 640), false, 0)
        val said = activity.find<TextView>(R.id.drift)
        await("drift") {
            activity.model.offer(grey)
            said.text.contains("unlike") && said.text.contains("Float")
        }
        for ((view, text) in listOf(R.id.fps to "30 FPS", R.id.stats to "18 faces")) activity.find<TextView>(view).text = text
        activity.find<TextView>(R.id.stages).text = ""
        shadowOf(Looper.getMainLooper()).idle()
        save(activity, name)
        assertEquals("it is whole", said.text.length, said.layout.getLineEnd(said.lineCount - 1))
    }

    private fun comparison(name: String) {
        val activity = opened()
        activity.find<View>(R.id.compare).performClick()
        await("compared") { activity.model.state is UiState.Compared }
        // An own model's bin beside the name, and the button that leads out, are on the picture too.
        activity.find<View>(R.id.remove_model).visibility = View.VISIBLE
        shadowOf(Looper.getMainLooper()).idle()
        val shot = save(activity, name)
        val boxes = listOf(R.color.box, R.color.box_other).map(activity::getColor)
        assertTrue("both models' boxes are drawn", colours(shot, overlayOf(activity)).containsAll(boxes))
    }

    private fun picture(name: String) {
        val activity = opened()
        // The build machine's milliseconds would be taken for a phone's.
        activity.find<TextView>(R.id.stats).text = overlayOf(activity).contentDescription
        val shot = save(activity, name)
        assertTrue("the box is drawn", colours(shot, overlayOf(activity)).contains(activity.getColor(R.color.box)))
    }

    /** The app with a photograph that was shared with it. */
    private fun opened(): MainActivity {
        val photograph = System.getProperty("featherface.photograph")?.let(::File)
        val library = System.getProperty("featherface.litert")
        val expected = System.getProperty("featherface.expected")?.let(::File)
        assumeTrue("no photograph, runtime or model to take a picture of", photograph != null && library != null && expected != null)
        Wiring.factory = LiteRtFactory(library!!)
        Wiring.models = { FolderModels(expected!!) }
        val uri = Uri.parse("content://pictures/astronaut.png")
        shadowOf(application.contentResolver).registerInputStreamSupplier(uri) { photograph!!.inputStream() }
        val intent = Intent(Intent.ACTION_SEND).setType("image/png").putExtra(Intent.EXTRA_STREAM, uri)
        val activity = Robolectric.buildActivity(MainActivity::class.java, intent).setup().get()
        await("faces") { (activity.model.state as? UiState.Still)?.faces?.let { it >= 1 } ?: false }
        return activity
    }

    private fun overlayOf(activity: Activity): View = activity.find(R.id.overlay)

    private fun save(
        activity: Activity,
        name: String,
    ): Bitmap {
        val view = activity.window.decorView
        val shot = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(shot))
        keep(shot, name)
        assertTrue("nothing is drawn", colours(shot, view).size > 2)
        return shot
    }

    private fun keep(
        shot: Bitmap,
        name: String,
    ) {
        val folder = File(System.getProperty("featherface.screenshots") ?: "build/screenshots").apply { mkdirs() }
        File(folder, "$name.png").outputStream().use { shot.compress(Bitmap.CompressFormat.PNG, 100, it) }
    }

    private fun colours(
        shot: Bitmap,
        view: View,
    ): Set<Int> {
        val place = IntArray(2).also(view::getLocationInWindow)
        val pixels = IntArray(view.width * view.height)
        shot.getPixels(pixels, 0, view.width, place[0], place[1], view.width, view.height)
        return pixels.filter { Color.alpha(it) == 255 }.toSet()
    }

    private companion object {
        const val ICON = 256
    }

    /** A scripted model and its float twin, with a calibration of surer faces than the script's. */
    private class WatchedModels(
        private val scripted: ModelSource = ScriptedModels("v2_320x320_int8.tflite", "v2_320x320_float32.tflite"),
    ) : ModelSource by scripted {
        override fun open(name: String): ModelFile {
            val statistics = JSONObject(File(Golden.folder, "drift_watch.json").readText()).getJSONObject("statistics")
            val record = JSONObject("""{"spec": ${scripted.open(name).specJson}}""")
            record.put("output_statistics", statistics.put("surest_lower_quartile", 0.99))
            return ModelFile.read(name, tinyFile()) { record.toString() }
        }
    }

    /** The models that Python has just run. */
    private class FolderModels(
        expected: File,
    ) : ModelSource {
        private val files =
            JSONArray(expected.readText()).let { rows -> List(rows.length()) { File(rows.getJSONObject(it).getString("model")) } }

        // The integer model first: the one that phones want.
        override fun names(): List<String> = files.map { it.name }.sortedBy { !it.endsWith("_int8.tflite") }

        override fun bytes(name: String) = files.first { it.name == name }.length()

        override fun open(name: String): ModelFile = PushedModel.open(files.first { it.name == name }, sidecar = null)
    }
}

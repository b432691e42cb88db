package org.featherface.demo.app

import android.content.Intent
import android.view.View
import android.widget.TextView
import org.featherface.demo.MainActivity
import org.featherface.demo.R
import org.featherface.demo.benchmark.BenchmarkActivity
import org.featherface.demo.benchmark.BenchmarkSession
import org.featherface.demo.ui.UiState
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowLog
import java.io.File

/** The oldest Android that the app claims to run on: a call that came later would be missing here. */
@Config(sdk = [24])
@GraphicsMode(GraphicsMode.Mode.LEGACY)
class OldestAndroidTest : AppTest() {
    @Test
    fun theAppStarts() {
        val controller = Robolectric.buildActivity(MainActivity::class.java, Intent(Intent.ACTION_MAIN)).setup()
        val activity = controller.get()
        await("no camera") { activity.model.state is UiState.NoCamera }
        assertEquals(View.VISIBLE, checkNotNull(activity.findViewById<View>(R.id.message)).visibility)
        assertEquals("No camera", checkNotNull(activity.findViewById<TextView>(R.id.message_title)).text.toString())
        controller
            .recreate()
            .pause()
            .stop()
            .destroy()
        await("closed") { factory.opened.all { it.isClosed } }
    }

    @Test
    fun theBenchmarkModeWritesItsResult() {
        ShadowLog.clear()
        start { putExtra("prepare", true) }
        val root = File(line("READY").getString("external_root"))
        File(root, "models/m.tflite").writeBytes(tinyFile().array())
        File(root, "models/m.tflite.json").writeText("""{"spec": ${ScriptedModels().open("m").specJson}}""")
        start { putExtra("run_id", "old").putExtra("model", "models/m.tflite").putExtra("runs", 5).putExtra("min_seconds", 0) }
        await("end") { !BenchmarkSession.isRunning }
        val result = JSONObject(File(line("DONE").getString("result")).readText())
        assertEquals(24, result.getJSONObject("device").getInt("sdk"))
        assertTrue(result.getJSONObject("device").isNull("soc_model"))
        assertTrue(result.getJSONObject("thermal_status").isNull("start"))
        assertTrue(result.getJSONObject("latency").getDouble("fps") > 0)
    }

    private fun start(extras: Intent.() -> Unit) = Robolectric.buildActivity(BenchmarkActivity::class.java, Intent().apply(extras)).setup()

    private fun line(word: String) =
        JSONObject(
            ShadowLog
                .getLogsForTag(BenchmarkSession.TAG)
                .last { it.msg.startsWith("$word ") }
                .msg
                .removePrefix("$word "),
        )
}

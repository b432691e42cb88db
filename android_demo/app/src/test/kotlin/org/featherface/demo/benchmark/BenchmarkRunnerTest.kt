package org.featherface.demo.benchmark

import android.graphics.Bitmap
import org.featherface.demo.app.AppTest
import org.featherface.demo.app.ScriptedModels
import org.featherface.demo.app.tinyFile
import org.junit.Assert.assertEquals
import org.junit.Before
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import java.io.File

/** Which images the latency is measured on. */
class BenchmarkRunnerTest : AppTest() {
    private val application = RuntimeEnvironment.getApplication()
    private val folder = BenchmarkFolder(File(application.filesDir, "benchmark"))

    @Before
    fun push() {
        folder.prepare()
        File(folder.root, "models/m.tflite").writeBytes(tinyFile().array())
        File(folder.root, "models/m.tflite.json").writeText("""{"spec": ${ScriptedModels().open("m").specJson}}""")
    }

    @Test
    fun noneBeyondThePixelsThatFitIntoTheMemory() {
        for (name in listOf("a", "b")) picture(name, 5000, 2000)
        assertEquals(1, imagesTimed())
    }

    @Test
    fun theFirstMayBeLarger() {
        picture("a", 5000, 3300)
        picture("b", 40, 30)
        assertEquals(1, imagesTimed())
    }

    @Test
    fun eightSmallOnes() {
        for (number in 0..8) picture("$number", 40, 30)
        assertEquals(8, imagesTimed())
    }

    private fun picture(
        name: String,
        width: Int,
        height: Int,
    ) {
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        File(folder.root, "images/$name.png").outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        bitmap.recycle()
    }

    private fun imagesTimed(): Int {
        val sizes = mapOf("runs" to 1, "warmup_runs" to 1, "min_seconds" to 0)
        val names = mapOf("run_id" to "memory", "model" to "models/m.tflite", "images" to "images", "tasks" to "latency")
        val request = BenchmarkRequest.of(names + sizes)
        return BenchmarkRunner(folder, factory, DeviceFacts(application)).run(request, Unheard).getJSONObject("latency").getInt("images")
    }

    private object Unheard : BenchmarkEvents {
        override fun started(
            request: BenchmarkRequest,
            modelSha256: String,
        ) = Unit

        override fun report(
            task: Task,
            done: Int,
            total: Int,
        ) = Unit
    }
}

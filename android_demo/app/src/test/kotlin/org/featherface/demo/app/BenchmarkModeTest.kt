package org.featherface.demo.app

import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.view.View
import android.widget.TextView
import org.featherface.demo.R
import org.featherface.demo.Wiring
import org.featherface.demo.benchmark.BenchmarkActivity
import org.featherface.demo.benchmark.BenchmarkSession
import org.featherface.demo.benchmark.BenchmarkState
import org.featherface.demo.benchmark.OwnOrder
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.jsonOf
import org.featherface.demo.detector.objects
import org.featherface.demo.ui.find
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowLog
import java.io.File
import java.security.MessageDigest

/** The contract of BENCHMARK_MODE.md, end to end with a scripted runtime. */
class BenchmarkModeTest : AppTest() {
    private val application = RuntimeEnvironment.getApplication()
    private val external get() = File(application.getExternalFilesDir(null), "benchmark")
    private val media get() = File(application.filesDir, "media/benchmark")
    private val internal get() = File(application.filesDir, "benchmark")

    @Before
    fun push() {
        ShadowLog.clear()
        start { putExtra("prepare", true) }
        assertEquals(external.path, line("READY").getString("external_root"))
        assertEquals(internal.path, line("READY").getString("internal_root"))
        assertEquals(media.path, line("READY").getString("media_root"))
        for (root in listOf(external, internal, media)) {
            pushModel(File(root, "models"))
            pushImages(File(root, "images/set"))
        }
    }

    @Test
    fun bothTasksWriteOneResult() {
        start { order("first") }
        val done = end("first")
        val file = File(done.getString("result"))
        assertEquals(File(external, "results/first.json"), file)
        assertEquals(file.length(), done.getLong("bytes"))
        assertEquals(sha256(file), done.getString("sha256"))
        val result = JSONObject(file.readText())
        assertEquals("ok", result.getString("status"))
        assertEquals(2, result.getInt("schema"))
        assertEquals("scripted 1", result.getJSONObject("app").getString("runtime"))
        assertEquals("sidecar", result.getJSONObject("model").getString("spec_source"))
        assertEquals(sha256(File(external, "models/m.tflite")), result.getJSONObject("model").getString("sha256"))
        assertEquals(result.getJSONObject("model").getString("sha256"), line("STARTED").getString("model_sha256"))
        assertLatency(result.getJSONObject("latency"))
        assertImages(result)
    }

    @Test
    fun anInternalRootWorksToo() {
        start { order("inside").putExtra("root", "internal").putExtra("hash_tensors", true) }
        val done = end("inside")
        assertEquals(File(external, "results/inside.json").path, done.getString("result"))
        assertTrue(File(internal, "results/inside.json").isFile)
        val image = imagesOf(JSONObject(File(internal, "results/inside.json").readText())).first()
        assertEquals(setOf("boxes", "scores", "landmarks"), image.getJSONObject("output_sha256").keySet())
        assertEquals(64, image.getString("input_sha256").length)
    }

    @Test
    fun withoutImagesOnlyLatencyIsMeasured() {
        start { order("noise").apply { removeExtra("images") } }
        val result = JSONObject(File(end("noise").getString("result")).readText())
        assertTrue(result.isNull("images"))
        assertEquals(1, result.getJSONObject("latency").getInt("images"))
    }

    @Test
    fun aRotationDoesNotStartTheRunAgain() {
        val controller = start { order("turned") }
        controller.recreate()
        end("turned")
        assertEquals(1, ShadowLog.getLogsForTag(BenchmarkSession.TAG).count { it.msg.startsWith("STARTED ") })
        await("screen") { BenchmarkSession.state is BenchmarkState.Done }
        val text = controller.get().findViewById<TextView>(R.id.benchmark_status)!!.text
        assertTrue(text.toString(), text.startsWith("turned: done"))
    }

    @Test
    fun pathsOutsideOfTheFolderAreRefused() {
        val secret = File(application.filesDir, "secret.tflite").apply { writeText("secret") }
        link(File(external, "models/link.tflite"), secret)
        for ((number, path) in listOf("/etc/passwd", "models/../../secret.tflite", "models/link.tflite", "").withIndex()) {
            val error = failure("outside$number") { putExtra("model", path) }
            assertTrue("$path: $error", error.contains("relative to") || error.contains("outside"))
        }
    }

    @Test
    fun aLinkOutOfTheFolderIsNotFollowedForTheSpecOrForImages() {
        val outside = File(application.filesDir, "outside").apply { mkdirs() }
        File(external, "images/set/a.png").copyTo(File(outside, "private.png"), overwrite = true)
        link(File(external, "images/set/linked"), outside)
        start { order("linked") }
        val images = imagesOf(JSONObject(File(end("linked").getString("result")).readText()))
        assertEquals(listOf("images/set/a.png", "images/set/c.png"), images.map { it.getString("file") })
        val sidecar = File(external, "models/m.tflite.json")
        val moved = File(outside, "m.json").also { sidecar.copyTo(it, overwrite = true) }
        check(sidecar.delete())
        link(sidecar, moved)
        assertTrue(failure("spec") { }.contains("outside"))
    }

    @Test
    fun whateverEndsARunItSaysSo() {
        val ends =
            listOf(
                OutOfMemoryError("heap") to "out of memory",
                UnsatisfiedLinkError("libx.so") to "libx.so",
                java.io.IOException("the card is gone") to "the card is gone",
                org.json.JSONException("NaN") to "NaN",
                IllegalStateException("odd") to "odd",
            )
        for ((number, end) in ends.withIndex()) {
            Wiring.factory =
                object : DetectorFactory by factory {
                    override fun open(
                        model: ModelFile,
                        options: RuntimeOptions,
                    ) = throw end.first
                }
            val error = failure("end$number") { }
            assertTrue(error, error.contains(end.second))
        }
    }

    @Test
    fun aFailureThatCannotBeSavedIsStillSaid() {
        Wiring.factory =
            object : DetectorFactory by factory {
                override val runtime: String
                    get() = throw OutOfMemoryError("heap")
            }
        start { order("unsaved") }
        await("end of the run") { has("FAILED") && !BenchmarkSession.isRunning }
        assertTrue(line("FAILED").getString("error").contains("out of memory"))
        assertFalse(File(external, "results/unsaved.json").exists())
    }

    @Test
    fun aFailureInsideIsWrittenOutsideToo() {
        failure("nothing_inside") { putExtra("root", "internal").putExtra("model", "models/absent.tflite") }
        assertTrue(File(internal, "results/nothing_inside.json").isFile)
    }

    private fun link(
        place: File,
        target: File,
    ) = java.nio.file.Files
        .createSymbolicLink(place.toPath(), target.toPath())

    @Test
    fun badExtrasAreRefusedByName() {
        val bad =
            mapOf<String, Intent.() -> Unit>(
                "threads" to { putExtra("threads", 0) },
                "delegate" to { putExtra("delegate", "npu") },
                "score_threshold" to { putExtra("score_threshold", 2f) },
                "runs" to { putExtra("runs", "many") },
                "unknown" to { putExtra("treads", 4) },
                "min_seconds" to { putExtra("min_seconds", 50).putExtra("max_seconds", 10) },
                "tasks" to { putExtra("tasks", "latency,map") },
                "model" to { removeExtra("model") },
                "root" to { putExtra("root", "sdcard") },
                "processors" to { putExtra("processors", "4-7") },
            )
        for ((name, change) in bad) {
            val error = failure("bad_$name", change)
            assertTrue("$name: $error", error.contains(name))
        }
    }

    @Test
    fun aBadRunIdFailsWithoutAFile() {
        for (id in listOf("", "../x", ".hidden", "a".repeat(65))) {
            ShadowLog.clear()
            start { order(id) }
            await("end of '$id'") { has("FAILED") }
            assertTrue(line("FAILED").isNull("run_id"))
        }
        assertFalse(File(external, "results").listFiles().orEmpty().any { it.name.startsWith(".") })
    }

    @Test
    fun aBrokenImageIsReportedAndTheOthersGoOn() {
        File(external, "images/set/b.jpg").writeText("no picture")
        start { order("broken") }
        val result = JSONObject(File(end("broken").getString("result")).readText())
        assertEquals("the readable ones", 2, result.getJSONObject("latency").getInt("images"))
        val images = imagesOf(result)
        assertEquals(listOf("images/set/a.png", "images/set/b.jpg", "images/set/c.png"), images.map { it.getString("file") })
        assertTrue(images[1].getString("error").contains("cannot be decoded"))
        assertTrue("unknown is null", images[1].isNull("width") && images[1].isNull("height"))
        assertEquals(18, images[2].getJSONArray("detections").length())
    }

    @Test
    fun theRunWaitsForTheHost() {
        start { order("patient").putExtra("wait_for_go", true) }
        await("started") { has("STARTED") }
        Thread.sleep(200)
        assertTrue("the interpreter was made too early", factory.opened.isEmpty())
        File(external, "go/patient").writeText("")
        end("patient")
        assertEquals(1, factory.opened.size)
    }

    @Test
    fun theMediaFolderIsOneToo() {
        start { order("shared").putExtra("root", "media").putExtra("tasks", "latency") }
        assertEquals(File(media, "results/shared.json").path, end("shared").getString("result"))
        assertFalse(File(external, "results/shared.json").exists())
    }

    @Test
    fun whereTheHostCanWriteAndTheAppCanReadIsProbed() {
        assertEquals(0, line("READY").getJSONArray("heard").length())
        assertTrue(File(media, "from_app").isFile)
        File(media, "from_host").writeText("the host was here")
        ShadowLog.clear()
        start { putExtra("prepare", true) }
        assertEquals("media", line("READY").getJSONArray("heard").join(",").trim('"'))
    }

    @Test
    fun leavingTheScreenIsNoted() {
        val controller = start { order("left").putExtra("wait_for_go", true).putExtra("tasks", "latency") }
        await("started") { has("STARTED") }
        controller.pause().stop()
        File(external, "go/left").writeText("")
        val result = JSONObject(File(end("left").getString("result")).readText())
        assertEquals(1, result.getJSONObject("conditions").getJSONArray("interruptions_s").length())
        assertTrue(result.getJSONArray("flags").toString().contains("the screen was left after"))
    }

    @Test
    fun theTimesAreOfCameraFrames() {
        start { order("frames").putExtra("tasks", "latency") }
        val latency = JSONObject(File(end("frames").getString("result")).readText()).getJSONObject("latency")
        assertEquals("c", latency.getString("letterbox_by"))
        assertTrue(latency.getJSONArray("per_minute").getJSONObject(0).has("clock_khz"))
    }

    @Test
    fun aSecondRunAtATimeIsRefused() {
        start { order("one").putExtra("wait_for_go", true) }
        await("started") { has("STARTED") }
        start { order("two") }
        await("refused") { has("FAILED") }
        assertEquals("two", line("FAILED").getString("run_id"))
        File(external, "go/one").writeText("")
        end("one")
    }

    @Test
    fun aMeasurementFromTheAppEndsWithACardToShare() {
        val model = ScriptedModels().open("featherface_v2_320x320_int8.tflite")
        val order = OwnOrder.prepare(application, model, RuntimeOptions(2, Delegate.CPU))
        assertEquals(20, order.getIntExtra("min_seconds", 0))
        order.putExtra("runs", 5).putExtra("min_seconds", 0)
        val activity = Robolectric.buildActivity(BenchmarkActivity::class.java, order).setup().get()
        end("in_app")
        await("card") { activity.find<TextView>(R.id.benchmark_card).visibility == View.VISIBLE }
        val card = activity.find<TextView>(R.id.benchmark_card).text.toString()
        val lines = card.lines()
        assertEquals("FeatherFace, int8 · 320 · 0 KB · featherface_v2", lines[0])
        assertTrue(card, Regex("\\d+\\.\\d FPS, \\d+\\.\\d ms a frame, one of ten more than \\d+\\.\\d").matches(lines[1]))
        assertTrue(card, lines[3].endsWith("cpu with 2 thread(s), scripted 1"))
        assertTrue("what speaks against it is said", lines.drop(5).all { it.startsWith("but ") })
        activity.find<View>(R.id.benchmark_share).performClick()
        @Suppress("DEPRECATION") // its successor exists only from API 33 on
        val sent = checkNotNull(shadowOf(activity).nextStartedActivity.getParcelableExtra<Intent>(Intent.EXTRA_INTENT))
        val (text, json) = checkNotNull(sent.getStringExtra(Intent.EXTRA_TEXT)).split("\n\n", limit = 2)
        assertEquals(card, text)
        val latency = JSONObject(json).getJSONObject("latency")
        assertEquals(5 to false, latency.getInt("runs") to latency.has("samples_ms"))
    }

    @Test
    fun withoutTimesThereIsNoCard() {
        val activity = start { order("faces").putExtra("tasks", "detect") }.get()
        end("faces")
        await("done") { activity.find<TextView>(R.id.benchmark_status).text.startsWith("faces: done") }
        assertEquals(View.GONE, activity.find<View>(R.id.benchmark_card).visibility)
    }

    private fun assertLatency(latency: JSONObject) {
        assertEquals(20, latency.getInt("runs"))
        assertEquals("runs_and_seconds", latency.getString("stopped_by"))
        assertEquals(2, latency.getInt("images"))
        val stages = latency.getJSONObject("stages_ms")
        assertEquals(setOf("letterbox", "inference", "decode", "nms", "total"), stages.keySet())
        val total = stages.getJSONObject("total")
        assertTrue(total.getDouble("min") <= total.getDouble("p50") && total.getDouble("p50") <= total.getDouble("p99"))
        assertEquals(20, latency.getJSONObject("samples_ms").getJSONArray("total").length())
    }

    private fun assertImages(result: JSONObject) {
        val images = imagesOf(result)
        assertEquals(listOf("images/set/a.png", "images/set/c.png"), images.map { it.getString("file") })
        val golden = Golden(GOLDEN)
        val expected = golden.imagePixels.objects()
        for (image in images) {
            assertEquals(golden.imageWidth, image.getInt("width"))
            val faces = image.getJSONArray("detections").objects()
            assertEquals(expected.size, faces.size)
            for ((face, wanted) in faces.zip(expected)) {
                for (value in 0 until 4) {
                    val box = face.getJSONArray("box_xyxy").getDouble(value)
                    assertEquals(wanted.getJSONArray("box_xyxy").getDouble(value), box, 1e-3)
                }
            }
        }
    }

    /** The lines of the file that a result names, which must be what the result says of it. */
    private fun imagesOf(result: JSONObject): List<JSONObject> {
        val facts = result.getJSONObject("images")
        val file = File(facts.getString("file"))
        assertEquals(facts.getString("sha256"), sha256(file))
        assertEquals(facts.getLong("bytes"), file.length())
        return file.readLines().map(::JSONObject).also { assertEquals(facts.getInt("count"), it.size) }
    }

    private fun failure(
        runId: String,
        change: Intent.() -> Unit,
    ): String {
        ShadowLog.clear()
        start { order(runId).apply(change) }
        await("failure of $runId") { has("FAILED") }
        assertEquals(runId, line("FAILED").getString("run_id"))
        val saved = JSONObject(File(external, "results/$runId.json").readText())
        assertEquals("failed", saved.getString("status"))
        await("end of the thread") { BenchmarkSession.state is BenchmarkState.Failed && !BenchmarkSession.isRunning }
        return saved.getString("error")
    }

    private fun Intent.order(runId: String): Intent =
        putExtra("run_id", runId)
            .putExtra("model", "models/m.tflite")
            .putExtra("images", "images/set")
            .putExtra("runs", 20)
            .putExtra("warmup_runs", 2)
            .putExtra("min_seconds", 0)

    private fun start(extras: Intent.() -> Unit): ActivityController<BenchmarkActivity> =
        Robolectric.buildActivity(BenchmarkActivity::class.java, Intent().apply(extras)).setup()

    private fun end(runId: String): JSONObject {
        await("end of $runId") { (has("DONE") || has("FAILED")) && !BenchmarkSession.isRunning }
        assertFalse(ShadowLog.getLogsForTag(BenchmarkSession.TAG).toString(), has("FAILED") && line("FAILED").optString("run_id") == runId)
        return line("DONE").also { assertEquals(runId, it.getString("run_id")) }
    }

    private fun has(word: String) = ShadowLog.getLogsForTag(BenchmarkSession.TAG).orEmpty().any { it.msg.startsWith("$word ") }

    private fun line(word: String) =
        JSONObject(
            ShadowLog
                .getLogsForTag(BenchmarkSession.TAG)
                .last { it.msg.startsWith("$word ") }
                .msg
                .removePrefix("$word "),
        )

    private fun pushModel(folder: File) {
        val bytes = tinyFile().array()
        File(folder, "m.tflite").writeBytes(bytes)
        File(folder, "m.tflite.json").writeText("""{"spec": ${jsonOf(Golden(GOLDEN).spec)}}""")
    }

    private fun pushImages(folder: File) {
        folder.mkdirs()
        val golden = Golden(GOLDEN)
        val bitmap = Bitmap.createBitmap(golden.imageWidth, golden.imageHeight, Bitmap.Config.ARGB_8888)
        for (name in listOf("a.png", "c.png")) File(folder, name).outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        check(BitmapFactory.decodeFile(File(folder, "a.png").path).width == golden.imageWidth)
    }

    private fun sha256(file: File) = MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }
}

package org.featherface.demo.benchmark

import android.content.Context
import android.content.Intent
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.RuntimeOptions
import org.json.JSONObject
import java.io.File
import java.io.IOException

/** A measurement that somebody asks for in the app itself, not over adb: of one model on camera-like noise. */
object OwnOrder {
    /** Shorter than a measurement over adb: somebody holds the phone meanwhile. */
    private const val SECONDS = 20
    private const val RUNS = 128
    private const val LIMIT = 60

    private const val RUN_ID = "in_app"

    /**
     * Lay [model] out for the benchmark's screen. Blocking.
     *
     * @return what starts that screen and the measurement
     * @throws DetectorException the storage is full
     */
    fun prepare(
        context: Context,
        model: ModelFile,
        options: RuntimeOptions,
    ): Intent {
        val folder = BenchmarkFolder(File(context.filesDir, BenchmarkFolder.NAME))
        folder.prepare()
        val path = "${BenchmarkFolder.MODELS}/${model.name}"
        try {
            File(folder.root, path).outputStream().channel.use { it.write(model.bytes.duplicate().apply { rewind() }) }
            File(folder.root, "$path.json").writeText(JSONObject().put("spec", JSONObject(model.specJson)).toString())
        } catch (error: IOException) {
            throw DetectorException("${model.name} cannot be laid out for the measurement: ${error.message}", error)
        }
        return Intent(context, BenchmarkActivity::class.java)
            .putExtra("run_id", RUN_ID)
            .putExtra("root", Root.INTERNAL.label)
            .putExtra("model", path)
            .putExtra("threads", options.threads)
            .putExtra("delegate", options.delegate.label)
            .putExtra("runs", RUNS)
            .putExtra("min_seconds", SECONDS)
            .putExtra("max_seconds", LIMIT)
    }
}

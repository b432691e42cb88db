package org.featherface.demo.benchmark

import org.featherface.demo.ui.ModelLabel
import org.json.JSONObject
import java.io.File
import java.io.IOException
import java.util.Locale

/** What people show each other of a measurement, out of its result (BENCHMARK_MODE.md). */
class ResultCard private constructor(
    private val result: JSONObject,
) {
    private val latency = result.getJSONObject("latency")
    private val stages = latency.getJSONObject("stages_ms")

    /** The figures, what they are of, and what speaks against them; one line each. */
    val text: String
        get() =
            listOf(
                "FeatherFace, ${model()}",
                "%.1f FPS, %.1f ms a frame, one of ten more than %.1f".with(latency.getDouble("fps"), of("total"), of("total", "p90")),
                "to tensor %.1f, network %.1f, decode %.1f ms".with(of("letterbox"), of("inference"), of("decode") + of("nms")),
                "${phone()}, ${processor()}, ${result.getJSONObject("app").getString("runtime")}",
                "${latency.getInt("runs")} frames in %.0f s".with(latency.getDouble("seconds")),
            ).plus(flags().map { "but $it" }).joinToString("\n")

    /** The result without its thousands of single times. */
    val json: String
        get() {
            val short = JSONObject(result.toString())
            short.getJSONObject("latency").remove("samples_ms")
            return short.toString(1)
        }

    private fun of(
        stage: String,
        statistic: String = "mean",
    ) = stages.getJSONObject(stage).getDouble(statistic)

    private fun model(): String {
        val model = result.getJSONObject("model")
        val name = File(model.getString("file")).name
        return ModelLabel.of(name, listOf(name, ""), model.getLong("bytes"))
    }

    private fun phone(): String {
        val device = result.getJSONObject("device")
        return listOf("manufacturer", "model").joinToString(" ", transform = device::getString) + ", Android " +
            device.getString("android_release")
    }

    private fun processor(): String {
        val settings = result.getJSONObject("settings")
        val delegate = settings.getString("delegate")
        return if (delegate == "gpu") delegate else "$delegate with ${settings.getInt("threads")} thread(s)"
    }

    private fun flags(): List<String> = result.getJSONArray("flags").let { rows -> List(rows.length(), rows::getString) }

    /** A point in every language, as in the JSON. */
    private fun String.with(vararg numbers: Double) = format(Locale.ROOT, *numbers.toTypedArray())

    companion object {
        /** The card of a measurement whose result is [file]; null where no times were measured or the file is gone. */
        fun of(file: File): ResultCard? =
            try {
                JSONObject(file.readText()).takeIf { it.optJSONObject("latency") != null }?.let(::ResultCard)
            } catch (error: IOException) {
                null
            }
    }
}

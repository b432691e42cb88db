package org.featherface.demo.benchmark

import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.RuntimeOptions
import org.json.JSONArray
import org.json.JSONObject

/** What a benchmark run can be asked to do. */
enum class Task(
    val label: String,
) {
    LATENCY("latency"),
    DETECT("detect"),
}

/** Where a run's folders can be; see BENCHMARK_MODE.md for who may write where. */
enum class Root(
    val label: String,
) {
    MEDIA("media"),
    EXTERNAL("external"),
    INTERNAL("internal"),
}

/**
 * A run, as BENCHMARK_MODE.md describes its extras; every value is checked.
 *
 * @property scoreThreshold null: the model's own
 */
data class BenchmarkRequest(
    val runId: String,
    val root: Root,
    val model: String,
    val images: String?,
    val tasks: Set<Task>,
    val options: RuntimeOptions,
    val warmupRuns: Int,
    val runs: Int,
    val minSeconds: Int,
    val maxSeconds: Int,
    val scoreThreshold: Float?,
    val hashTensors: Boolean,
    val waitForGo: Boolean,
    val processors: List<Int>,
) {
    /** The values in force, under the names of the extras. */
    fun toJson(): JSONObject =
        JSONObject()
            .put("run_id", runId)
            .put("root", root.label)
            .put("model", model)
            .put("images", images ?: JSONObject.NULL)
            .put("tasks", tasks.joinToString(",") { it.label })
            .put("threads", options.threads)
            .put("delegate", options.delegate.label)
            .put("warmup_runs", warmupRuns)
            .put("runs", runs)
            .put("min_seconds", minSeconds)
            .put("max_seconds", maxSeconds)
            .put("score_threshold", scoreThreshold?.toDouble() ?: JSONObject.NULL)
            .put("hash_tensors", hashTensors)
            .put("wait_for_go", waitForGo)
            .put("processors", JSONArray(processors))

    companion object {
        private val RUN_ID = Regex("[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")

        /** The run id in [extras] if it is a valid one: failures are reported under it. */
        fun runIdOf(extras: Map<String, Any?>): String? = (extras["run_id"] as? String)?.takeIf(RUN_ID::matches)

        /**
         * Read the extras of an intent.
         *
         * @throws DetectorException an extra is missing, unknown, of the wrong type or out of range
         */
        fun of(extras: Map<String, Any?>): BenchmarkRequest {
            val read = ExtraReader(extras)
            val images = read.text("images")
            val tasks = read.text("tasks") ?: if (images == null) Task.LATENCY.label else "latency,detect"
            val request =
                BenchmarkRequest(
                    runId = runIdOf(extras) ?: read.reject("run_id", "1 to 64 of A-Z a-z 0-9 . _ -, not starting with a dot"),
                    root = read.choice("root", Root.EXTERNAL.label, Root.entries.associateBy { it.label }),
                    model = read.text("model") ?: read.reject("model", "a path relative to the root"),
                    images = images,
                    tasks = tasks.split(",").map { read.taskOf(it) }.toSet(),
                    options =
                        RuntimeOptions(
                            threads = read.number("threads", 4, 1..RuntimeOptions.MAX_THREADS),
                            delegate = read.choice("delegate", Delegate.CPU.label, Delegate.entries.associateBy { it.label }),
                        ),
                    warmupRuns = read.number("warmup_runs", 16, 1..10_000),
                    runs = read.number("runs", 1024, 1..1_000_000),
                    minSeconds = read.number("min_seconds", 60, 0..86_400),
                    maxSeconds = read.number("max_seconds", 900, 1..86_400),
                    scoreThreshold = read.fraction("score_threshold"),
                    hashTensors = read.flag("hash_tensors"),
                    waitForGo = read.flag("wait_for_go"),
                    processors = read.processors("processors"),
                )
            read.refuseUnknown()
            if (request.minSeconds > request.maxSeconds) read.reject("min_seconds", "at most max_seconds (${request.maxSeconds})")
            if (Task.DETECT in request.tasks && images == null) read.reject("images", "a folder or file, because tasks asks for detect")
            return request
        }

        private fun ExtraReader.taskOf(label: String) =
            Task.entries.find { it.label == label } ?: reject("tasks", "latency, detect, or both with a comma between")
    }
}

/** Takes typed values out of an intent's extras and remembers which were known. */
private class ExtraReader(
    private val extras: Map<String, Any?>,
) {
    private val known = mutableSetOf("run_id", "prepare")

    fun text(name: String): String? = value(name)?.let { it as? String ?: reject(name, "text (--es)") }

    /** Numbers of processors, with commas between; none: all. */
    fun processors(name: String): List<Int> {
        val found = text(name) ?: return emptyList()
        val numbers = found.split(",").map { it.toIntOrNull()?.takeIf { number -> number in 0..MAX_PROCESSOR } }
        return if (null in numbers) reject(name, "numbers from 0 to $MAX_PROCESSOR with commas between") else numbers.filterNotNull()
    }

    fun flag(name: String): Boolean = value(name)?.let { it as? Boolean ?: reject(name, "true or false (--ez)") } ?: false

    fun number(
        name: String,
        default: Int,
        range: IntRange,
    ): Int {
        val found = value(name) ?: return default
        return (found as? Int)?.takeIf { it in range } ?: reject(name, "a whole number (--ei) in $range")
    }

    fun fraction(name: String): Float? {
        val found = value(name) ?: return null
        return (found as? Float)?.takeIf { it in 0f..1f } ?: reject(name, "a number (--ef) in 0..1")
    }

    fun <T> choice(
        name: String,
        default: String,
        choices: Map<String, T>,
    ): T = choices[text(name) ?: default] ?: reject(name, "one of ${choices.keys.joinToString()}")

    fun refuseUnknown() {
        val unknown = extras.keys - known
        if (unknown.isNotEmpty()) {
            throw DetectorException("unknown extra(s): ${unknown.sorted().joinToString()}; known are ${known.sorted().joinToString()}")
        }
    }

    fun reject(
        name: String,
        expected: String,
    ): Nothing = throw DetectorException("extra $name: expected $expected, found ${extras[name]}")

    private fun value(name: String): Any? {
        known += name
        return extras[name]
    }

    private companion object {
        /** The affinity mask has 64 bits. */
        const val MAX_PROCESSOR = 63
    }
}

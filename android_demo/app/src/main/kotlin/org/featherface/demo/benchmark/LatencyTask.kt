package org.featherface.demo.benchmark

import org.featherface.demo.detector.Clock
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.Stage
import org.json.JSONArray
import org.json.JSONObject

/** Says how far a run is: done and total in the unit of its task. */
fun interface Progress {
    fun report(
        task: Task,
        done: Int,
        total: Int,
    )
}

/**
 * Runs the whole path over a few images in turn, until there are enough runs and enough time has passed.
 *
 * @param images not empty
 * @param conditions what to note at the beginning of each minute
 */
class LatencyTask(
    private val request: BenchmarkRequest,
    private val pipeline: DetectionPipeline,
    private val images: List<ImageSource>,
    private val clock: Clock,
    private val conditions: () -> JSONObject = ::JSONObject,
) {
    private val stages = Stage.entries.map { Samples() }
    private val totals = Samples()
    private val ends = Samples()
    private val noted = mutableListOf<JSONObject>()
    private val threshold = request.scoreThreshold ?: pipeline.detector.spec.scoreThreshold

    /** Milliseconds of the very first inference; set by [run]. */
    var firstInference = 0.0
        private set

    /** @return the result's `latency` */
    fun run(progress: Progress): JSONObject {
        for (number in 0 until request.warmupRuns) {
            pipeline.detect(images[number % images.size], threshold)
            if (number == 0) firstInference = pipeline.times[Stage.INFERENCE]
        }
        val start = clock.nanoseconds()
        var seconds = 0.0
        while ((totals.size < request.runs || seconds < request.minSeconds) && seconds < request.maxSeconds) {
            while (noted.size <= seconds / 60) noted += conditions()
            pipeline.detect(images[totals.size % images.size], threshold)
            seconds = (clock.nanoseconds() - start) / 1e9
            record(seconds)
            progress.report(Task.LATENCY, totals.size, maxOf(request.runs, expected(seconds)))
        }
        return report(seconds)
    }

    private fun record(seconds: Double) {
        for (stage in Stage.entries) stages[stage.ordinal].add(pipeline.times[stage])
        totals.add(pipeline.times.total)
        ends.add(seconds)
    }

    private fun expected(seconds: Double) = if (seconds > 0) (totals.size / seconds * request.minSeconds).toInt() else 0

    private fun report(seconds: Double): JSONObject {
        val enough = totals.size >= request.runs && seconds >= request.minSeconds
        val times = JSONObject()
        for (stage in Stage.entries) times.put(stage.name.lowercase(), Statistics.of(stages[stage.ordinal].toList()))
        times.put("total", Statistics.of(totals.toList()))
        val minutes = minutes()
        return JSONObject()
            .put("runs", totals.size)
            .put("warmup_runs", request.warmupRuns)
            .put("seconds", seconds)
            .put("stopped_by", if (enough) "runs_and_seconds" else "max_seconds")
            .put("images", images.size)
            .put("letterbox_by", if (pipeline.wasNative) "c" else "kotlin")
            .put("fps", 1000 / totals.toList().average())
            .put("stages_ms", times)
            .put("samples_ms", JSONObject().put("inference", array(stages[Stage.INFERENCE.ordinal])).put("total", array(totals)))
            .put("per_minute", JSONArray(minutes))
            .put("throttle_ratio", throttleRatio(minutes, seconds) ?: JSONObject.NULL)
    }

    private fun minutes(): List<JSONObject> =
        (0 until totals.size).groupBy { (ends[it] / 60).toInt() }.map { (minute, runs) ->
            val total = runs.map { totals[it] }
            noted
                .getOrElse(minute) { JSONObject() }
                .put("minute", minute)
                .put("runs", runs.size)
                .put("inference_p50", Statistics.percentile(runs.map { stages[Stage.INFERENCE.ordinal][it] }.sorted(), 50))
                .put("total_p50", Statistics.percentile(total.sorted(), 50))
                .put("fps", 1000 / total.average())
        }

    private fun throttleRatio(
        minutes: List<JSONObject>,
        seconds: Double,
    ): Double? {
        val full = minutes.filter { it.getInt("minute") < (seconds / 60).toInt() }
        return if (full.size < 2) null else full.last().getDouble("inference_p50") / full.first().getDouble("inference_p50")
    }

    private fun array(samples: Samples) = JSONArray(samples.toList())
}

package org.featherface.demo.benchmark

import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Clock
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.FaceDetector
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.OperatorCount
import org.featherface.demo.detector.TensorInfo
import org.featherface.demo.runtime.PushedModel
import org.featherface.demo.runtime.Sha256
import org.featherface.demo.still.CameraFrames
import org.featherface.demo.still.StillLoader
import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.Random
import java.util.TimeZone

/** Hears how a run goes on, from the thread that runs it. */
interface BenchmarkEvents : Progress {
    /** The inputs are found; the interpreter has not been made yet. */
    fun started(
        request: BenchmarkRequest,
        modelSha256: String,
    )
}

/**
 * Carries out one run and returns its result. Blocking.
 *
 * @param facts what the phone says about itself
 * @param leavings seconds into the run at which its screen was left
 */
class BenchmarkRunner(
    private val folder: BenchmarkFolder,
    private val factory: DetectorFactory,
    private val facts: DeviceFacts,
    private val clock: Clock = Clock(System::nanoTime),
    private val leavings: () -> List<Double> = { emptyList() },
) {
    /**
     * Run what [request] asks for.
     *
     * @return the whole result, `status` ok
     * @throws DetectorException an input is missing or cannot be used, or the network fails
     */
    fun run(
        request: BenchmarkRequest,
        events: BenchmarkEvents,
    ): JSONObject {
        val result = begin(request)
        val file = folder.find(request.model)
        val files = request.images?.let(folder::images).orEmpty()
        val model = PushedModel.open(file, folder.sidecar(request.model))
        val digest = Sha256.of(file)
        val watch = RunWatch(facts, leavings)
        events.started(request, digest)
        if (request.waitForGo) awaitGo(request.runId)
        // Before the interpreter's threads are made: they inherit it.
        if (request.processors.isNotEmpty()) Affinity.bind(request.processors)
        val before = clock.nanoseconds()
        factory.open(model, request.options).use { detector ->
            result.put("init_ms", (clock.nanoseconds() - before) / 1e6)
            result.put("model", describe(request, file, digest, model, detector))
            measure(request, files, DetectionPipeline(detector, clock), result, events, watch)
            result.put("memory", facts.memory())
        }
        return watch.report(result).put("ended_at", now())
    }

    /** The result of a run that failed with [message]. */
    fun failure(
        request: BenchmarkRequest?,
        runId: String,
        message: String,
    ): JSONObject =
        JSONObject()
            .put("schema", SCHEMA)
            .put("run_id", runId)
            .put("status", "failed")
            .put("error", message)
            .put("started_at", JSONObject.NULL)
            .put("ended_at", now())
            .put("app", facts.app(factory.runtime))
            .put("device", facts.device())
            .put("settings", request?.toJson() ?: JSONObject.NULL)

    private fun begin(request: BenchmarkRequest): JSONObject =
        JSONObject()
            .put("schema", SCHEMA)
            .put("run_id", request.runId)
            .put("status", "ok")
            .put("error", JSONObject.NULL)
            .put("started_at", now())
            .put("app", facts.app(factory.runtime))
            .put("device", facts.device())
            .put("settings", request.toJson())

    private fun measure(
        request: BenchmarkRequest,
        files: List<File>,
        pipeline: DetectionPipeline,
        result: JSONObject,
        events: BenchmarkEvents,
        watch: RunWatch,
    ) {
        result.put("latency", JSONObject.NULL).put("images", JSONObject.NULL).put("first_inference_ms", JSONObject.NULL)
        if (Task.LATENCY in request.tasks) {
            val task = LatencyTask(request, pipeline, latencyImages(files), clock, watch::minute)
            result.put("latency", task.run(events)).put("first_inference_ms", task.firstInference)
        }
        if (Task.DETECT in request.tasks) {
            folder.lines(request.runId).use { lines ->
                DetectTask(request, folder, pipeline, clock).run(files, events, lines::add)
                result.put("images", lines.finish())
            }
        }
    }

    /** The first images that can be read, as camera frames, as many as the limits allow; `detect` names those that cannot. */
    private fun latencyImages(files: List<File>): List<ImageSource> {
        if (files.isEmpty()) return listOf(noise())
        val images = mutableListOf<ImageSource>()
        var pixels = 0L
        var problem: DetectorException? = null
        for (file in files) {
            if (images.size == LATENCY_IMAGES) break
            try {
                val bitmap = StillLoader.load(file)
                pixels += bitmap.width.toLong() * bitmap.height
                val fits = images.isEmpty() || pixels <= LATENCY_PIXELS
                if (fits) images += CameraFrames.of(StillLoader.pixelsOf(bitmap))
                bitmap.recycle()
                if (!fits) break
            } catch (error: DetectorException) {
                problem = error
            }
        }
        return images.ifEmpty { throw DetectorException("none of ${files.size} images can be read: ${problem?.message}", problem) }
    }

    private fun noise(): ImageSource {
        val random = Random(NOISE_SEED)
        return CameraFrames.of(ArgbImage(IntArray(NOISE_WIDTH * NOISE_HEIGHT) { random.nextInt() }, NOISE_WIDTH, NOISE_HEIGHT))
    }

    private fun describe(
        request: BenchmarkRequest,
        file: File,
        digest: String,
        model: ModelFile,
        detector: FaceDetector,
    ): JSONObject =
        JSONObject()
            .put("file", request.model)
            .put("bytes", file.length())
            .put("sha256", digest)
            .put("spec_source", model.specSource)
            .put("spec", JSONObject(model.specJson))
            .put("operators", detector.operators()?.let(::describe) ?: JSONObject.NULL)
            .put("input", describe(detector.input))
            .put(
                "outputs",
                JSONArray(
                    detector.outputs.mapIndexed {
                        index,
                        info,
                        ->
                        describe(info).put("name", model.spec.outputNames[index])
                    },
                ),
            )

    private fun describe(operators: OperatorCount) =
        JSONObject().put("in_file", operators.inFile).put("after_delegate", operators.afterDelegate)

    private fun describe(info: TensorInfo) =
        JSONObject()
            .put("name", info.name)
            .put("dtype", info.type.label)
            .put("shape", JSONArray(info.shape))
            .put("scale", info.scale.toDouble())
            .put("zero_point", info.zeroPoint)

    private fun awaitGo(runId: String) {
        val go = folder.go(runId)
        val deadline = clock.nanoseconds() + GO_SECONDS * 1_000_000_000L
        while (!go.exists()) {
            if (clock.nanoseconds() >
                deadline
            ) {
                throw DetectorException("expected the file $go within $GO_SECONDS s, because wait_for_go was given")
            }
            Thread.sleep(50)
        }
    }

    private fun now(): String =
        SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT).apply { timeZone = TimeZone.getTimeZone("UTC") }.format(Date())

    private companion object {
        const val SCHEMA = 2

        const val LATENCY_IMAGES = 8

        /** All images but a larger first one fit into this together: 64 MB, a small phone's heap holds little more. */
        const val LATENCY_PIXELS = 16_000_000
        const val NOISE_SEED = 20_240_101L
        const val NOISE_WIDTH = 640
        const val NOISE_HEIGHT = 480
        const val GO_SECONDS = 60
    }
}

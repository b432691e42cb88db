package org.featherface.demo.benchmark

import android.graphics.Bitmap
import org.featherface.demo.detector.Clock
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.Detections
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.Stage
import org.featherface.demo.runtime.Sha256
import org.featherface.demo.still.StillLoader
import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.io.IOException

/** Finds the faces in every pushed image once, so that accuracy can be measured on the phone itself. */
class DetectTask(
    private val request: BenchmarkRequest,
    private val folder: BenchmarkFolder,
    private val pipeline: DetectionPipeline,
    private val clock: Clock,
) {
    private val threshold = request.scoreThreshold ?: pipeline.detector.spec.scoreThreshold

    /** Give [found] the result of each image as soon as it is there: thousands of them would not fit into the memory. */
    fun run(
        files: List<File>,
        progress: Progress,
        found: (JSONObject) -> Unit,
    ) {
        for ((index, file) in files.withIndex()) {
            found(
                try {
                    detect(file)
                } catch (error: UnreadableImage) {
                    facts(file)
                        .put("width", JSONObject.NULL)
                        .put("height", JSONObject.NULL)
                        .put("error", error.message)
                        .put("detections", JSONArray())
                },
            )
            progress.report(Task.DETECT, index + 1, files.size)
        }
    }

    private fun detect(file: File): JSONObject {
        val start = clock.nanoseconds()
        val bitmap = read(file)
        val image = StillLoader.pixelsOf(bitmap)
        val read = (clock.nanoseconds() - start) / 1e6
        bitmap.recycle()
        val found = pipeline.detect(image, threshold)
        val times = JSONObject().put("read", read)
        for (stage in Stage.entries) times.put(stage.name.lowercase(), pipeline.times[stage])
        val result =
            facts(file)
                .put("width", image.width)
                .put("height", image.height)
                .put("error", JSONObject.NULL)
                .put("stages_ms", times)
                .put("detections", facesOf(found))
        if (request.hashTensors) addHashes(result)
        return result
    }

    private fun read(file: File): Bitmap =
        try {
            StillLoader.load(file)
        } catch (error: DetectorException) {
            throw UnreadableImage(error)
        }

    private fun facts(file: File) = JSONObject().put("file", folder.nameOf(file)).put("sha256", digestOf(file) ?: JSONObject.NULL)

    /** Null where the file cannot be opened: that is reported as the image's error, and must not end the run. */
    private fun digestOf(file: File): String? =
        try {
            Sha256.of(file)
        } catch (error: IOException) {
            null
        }

    private fun facesOf(found: Detections): JSONArray =
        JSONArray(
            List(found.count) { face ->
                JSONObject()
                    .put("box_xyxy", JSONArray(List(4) { found.boxes[4 * face + it].toDouble() }))
                    .put("score", found.scores[face].toDouble())
                    .put("landmarks_xy", JSONArray(List(found.points) { pointOf(found, found.points * face + it) }))
            },
        )

    private fun pointOf(
        found: Detections,
        number: Int,
    ) = JSONArray(List(2) { found.landmarks[2 * number + it].toDouble() })

    private fun addHashes(result: JSONObject) {
        result.put("input_sha256", Sha256.of(pipeline.detector.inputBuffer))
        val outputs = JSONObject()
        pipeline.lastOutputs?.let { last -> last.names.zip(last.all) { name, tensor -> outputs.put(name, Sha256.of(tensor.bytes)) } }
        result.put("output_sha256", outputs)
    }

    /** An image that cannot be read is reported and does not end the run. */
    private class UnreadableImage(
        cause: DetectorException,
    ) : Exception(cause.message, cause)
}

package org.featherface.demo.detector

import org.featherface.demo.detector.decoders.Decoders
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * Geometry and conventions of one detector at one input size, as `model/geometry/spec.py` defines them.
 *
 * Nothing about a model is written into this app: sizes, anchors, variances, decoder and thresholds all come from here. The network's
 * channel order, mean and standard deviation are not read: they are inside every file that the tool chain makes.
 *
 * @property inputHeight pixels, as [inputWidth]
 * @property padRgb colour of the letterbox's border: R, G, B in 0..255
 * @property strides pixels between anchor cells, one per pyramid level
 * @property anchorSizes sides of the square anchors of a cell in pixels, one list per level
 * @property variances scale of the centre's and of the size's offsets
 * @property scoreChannels columns of the scores, the objectness among them
 * @property outputNames names of boxes, scores and landmarks; in the order of the file's outputs where no parts are named
 * @property scoreThreshold default score above which a face is shown
 * @property nmsIou overlap above which the lower-scored box is dropped
 * @property decoder one of [Decoders], with its variant behind a colon where it has several
 * @property points landmarks of a face; 0 for none
 * @property boxesFrom the outputs whose rows, one below the other, are the boxes, each as [OutputPart] reads it; empty: the output of
 *   that name; as [scoresFrom], [landmarksFrom]
 * @property objectnessFrom likewise, for a column that is put before the scores
 * @property rows N, where candidates are no cells of levels; 0 where they are
 * @property classes what the score channels mean; must be empty: this app shows one class, a face
 */
data class DetectorSpec(
    val network: String,
    val inputHeight: Int,
    val inputWidth: Int,
    val padRgb: List<Int>,
    val strides: List<Int>,
    val anchorSizes: List<List<Int>>,
    val variances: List<Float>,
    val scoreChannels: Int,
    val outputNames: List<String>,
    val scoreThreshold: Float,
    val nmsIou: Float,
    val preNmsTopK: Int,
    val maxDetections: Int,
    val decoder: String = "anchor_offsets",
    val points: Int = 5,
    val boxesFrom: List<String> = listOf(),
    val scoresFrom: List<String> = listOf(),
    val landmarksFrom: List<String> = listOf(),
    val objectnessFrom: List<String> = listOf(),
    val classes: List<String> = listOf(),
    val rows: Int = 0,
) {
    init {
        val step = strides.maxOrNull() ?: 0
        for ((name, side) in listOf("height" to inputHeight, "width" to inputWidth)) {
            if (step < 1 || strides.any { it < 1 } || side !in 1..MAX_SIDE || side % step != 0) {
                reject("input $name must be a multiple of $step from $step to $MAX_SIDE, found $side")
            }
        }
        if (anchorSizes.size != strides.size || anchorSizes.any { sizes -> sizes.isEmpty() || sizes.any { it < 1 } }) {
            reject("expected anchor sizes for each of ${strides.size} strides, found $anchorSizes")
        }
        if (padRgb.size != 3 || padRgb.any { it !in 0..255 }) reject("pad_rgb must be three values in 0..255, found $padRgb")
        if (variances.size != 2 || variances.any { !it.isFinite() || it <= 0 }) reject("expected 2 variances, found $variances")
        if (scoreChannels < 1 || points < 0) {
            reject("expected 1 or more score_channels and 0 or more points, found $scoreChannels and $points")
        }
        if (outputNames.toSet().size != 3) reject("output_names must be three different names, found $outputNames")
        if (scoreThreshold !in 0f..1f || nmsIou !in 0f..1f) reject("thresholds must lie in 0..1: $scoreThreshold, $nmsIou")
        Decoders.require(decoder)
        if (classes.isNotEmpty()) reject("this app shows detectors of one class, the model names its score channels: $classes")
        if (objectnessFrom.isNotEmpty() && decoder.substringBefore(':') != "cell_sizes") {
            reject("this app reads an objectness for cell_sizes only, the model's decoder is $decoder")
        }
        (boxesFrom + scoresFrom + landmarksFrom + objectnessFrom).forEach(OutputPart::read)
        if (preNmsTopK < 1 || maxDetections < 1) reject("limits must be positive: $preNmsTopK, $maxDetections")
    }

    /** N, the number of anchors of all levels. */
    val anchorCount: Int =
        if (rows > 0) rows else strides.indices.sumOf { inputHeight / strides[it] * (inputWidth / strides[it]) * anchorSizes[it].size }

    /** Shapes of boxes `[1, N, 4]`, scores `[1, N, scoreChannels]` and landmarks `[1, N, 2 points]`. */
    val outputShapes: List<List<Int>>
        get() = listOf(4, scoreChannels, 2 * points).map { listOf(1, anchorCount, it) }

    /** Whether the file's outputs are found by their names; else their order says what they are. */
    val namesParts: Boolean
        get() = boxesFrom.isNotEmpty() || scoresFrom.isNotEmpty() || landmarksFrom.isNotEmpty()

    /** Call [visit] with level, row and column of every cell: levels in the order of the strides, cells row by row. */
    inline fun forEachCell(visit: (level: Int, row: Int, column: Int) -> Unit) {
        for ((level, stride) in strides.withIndex()) {
            for (row in 0 until inputHeight / stride) {
                for (column in 0 until inputWidth / stride) visit(level, row, column)
            }
        }
    }

    companion object {
        private const val MAX_SIDE = 4096

        /**
         * Read the JSON of `DetectorSpec.to_json()`.
         *
         * Every field that this app uses must be there: a default of its own could contradict the model.
         *
         * @throws DetectorException the text is not such a JSON object or a value is out of range
         */
        fun fromJson(text: String): DetectorSpec =
            try {
                fromJson(JSONObject(text))
            } catch (error: JSONException) {
                throw DetectorException("the detector spec cannot be read: ${error.message}", error)
            }

        private fun fromJson(json: JSONObject) =
            DetectorSpec(
                network = json.getString("network"),
                inputHeight = json.getInt("input_height"),
                inputWidth = json.getInt("input_width"),
                padRgb = json.getJSONArray("pad_rgb").ints(),
                strides = json.getJSONArray("strides").ints(),
                anchorSizes = json.getJSONArray("anchor_sizes").let { rows -> List(rows.length()) { rows.getJSONArray(it).ints() } },
                variances = json.getJSONArray("variances").let { row -> List(row.length()) { row.getDouble(it).toFloat() } },
                scoreChannels = json.getInt("score_channels"),
                outputNames = json.getJSONArray("output_names").texts(),
                scoreThreshold = json.getDouble("score_threshold").toFloat(),
                nmsIou = json.getDouble("nms_iou").toFloat(),
                preNmsTopK = json.getInt("pre_nms_top_k"),
                maxDetections = json.getInt("max_detections"),
                // Files from before there were several decoders say nothing about it.
                decoder = json.optString("decoder", "anchor_offsets"),
                points = json.optInt("points", 5),
                boxesFrom = json.optJSONArray("boxes_from").texts(),
                scoresFrom = json.optJSONArray("scores_from").texts(),
                landmarksFrom = json.optJSONArray("landmarks_from").texts(),
                objectnessFrom = json.optJSONArray("objectness_from").texts(),
                classes = json.optJSONArray("classes").texts(),
                rows = json.optInt("rows", 0),
            )

        private fun JSONArray?.texts() = this?.let { row -> List(row.length()) { row.getString(it) } }.orEmpty()

        private fun JSONArray.ints() = List(length()) { getInt(it) }

        private fun reject(message: String): Nothing = throw DetectorException("detector spec: $message")
    }
}

package org.featherface.demo.detector

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * Geometry and conventions of one detector at one input size, as `model/geometry/spec.py` defines them.
 *
 * Nothing about a model is written into this app: sizes, anchors, variances and thresholds all come from here.
 *
 * @property inputHeight pixels, as [inputWidth]
 * @property padRgb colour of the letterbox's border: R, G, B in 0..255
 * @property strides pixels between anchor cells, one per pyramid level
 * @property anchorSizes sides of the square anchors of a cell in pixels, one list per level
 * @property variances scale of the centre's and of the size's offsets
 * @property scoreChannels 1 (probability of a face) or 2 (background, face): the face's is the last
 * @property outputNames names of boxes, scores and landmarks, in the order of the file's outputs
 * @property scoreThreshold default score above which a face is shown
 * @property nmsIou overlap above which the lower-scored box is dropped
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
        if (scoreChannels !in 1..2) reject("score_channels must be 1 or 2, found $scoreChannels")
        if (outputNames.toSet().size != 3) reject("output_names must be three different names, found $outputNames")
        if (scoreThreshold !in 0f..1f || nmsIou !in 0f..1f) reject("thresholds must lie in 0..1: $scoreThreshold, $nmsIou")
        if (preNmsTopK < 1 || maxDetections < 1) reject("limits must be positive: $preNmsTopK, $maxDetections")
    }

    /** N, the number of anchors of all levels. */
    val anchorCount: Int =
        strides.indices.sumOf { inputHeight / strides[it] * (inputWidth / strides[it]) * anchorSizes[it].size }

    /** Shapes of boxes `[1, N, 4]`, scores `[1, N, scoreChannels]` and landmarks `[1, N, 10]`. */
    val outputShapes: List<List<Int>>
        get() = listOf(4, scoreChannels, 10).map { listOf(1, anchorCount, it) }

    companion object {
        private const val MAX_SIDE = 4096
        private const val DECODER = "anchor_offsets"

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

        private fun fromJson(json: JSONObject): DetectorSpec {
            // A model that is decoded otherwise would show boxes, and wrong ones.
            val decoder = json.optString("decoder", DECODER)
            if (decoder != DECODER) reject("this app decodes $DECODER, the model wants $decoder")
            return DetectorSpec(
                network = json.getString("network"),
                inputHeight = json.getInt("input_height"),
                inputWidth = json.getInt("input_width"),
                padRgb = json.getJSONArray("pad_rgb").ints(),
                strides = json.getJSONArray("strides").ints(),
                anchorSizes = json.getJSONArray("anchor_sizes").let { rows -> List(rows.length()) { rows.getJSONArray(it).ints() } },
                variances = json.getJSONArray("variances").let { row -> List(row.length()) { row.getDouble(it).toFloat() } },
                scoreChannels = json.getInt("score_channels"),
                outputNames = json.getJSONArray("output_names").let { row -> List(row.length()) { row.getString(it) } },
                scoreThreshold = json.getDouble("score_threshold").toFloat(),
                nmsIou = json.getDouble("nms_iou").toFloat(),
                preNmsTopK = json.getInt("pre_nms_top_k"),
                maxDetections = json.getInt("max_detections"),
            )
        }

        private fun JSONArray.ints() = List(length()) { getInt(it) }

        private fun reject(message: String): Nothing = throw DetectorException("detector spec: $message")
    }
}

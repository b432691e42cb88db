package org.featherface.demo.detector

import org.json.JSONException
import org.json.JSONObject

/**
 * What a model answered on its calibration images.
 *
 * @property scoreEdges between the bins of the scores' histogram; an edge belongs to the bin above
 * @property scoreShares candidates in each bin, of all; one more than the edges
 * @property possibleFace a picture whose greatest score is above this has something like a face
 * @property surestLowerQuartile a quarter of those pictures' greatest scores are below this
 * @property saturatedShare integers at either end of their range, of all that the file returns
 *
 * Source: `quantize/apply/output_statistics.py`.
 */
class CalibrationOutputs(
    val scoreEdges: FloatArray,
    val scoreShares: DoubleArray,
    val possibleFace: Float,
    val surestLowerQuartile: Float,
    val saturatedShare: Double,
) {
    companion object {
        /**
         * Read a model's record.
         *
         * @return null where it says nothing of calibration images
         * @throws DetectorException what it says cannot be read
         */
        fun ofRecord(record: String): CalibrationOutputs? =
            try {
                JSONObject(record).optJSONObject("output_statistics")?.let(::fromJson)
            } catch (error: JSONException) {
                throw DetectorException("the model's record: ${error.message}", error)
            }

        /** Read what Python writes of an `OutputStatistics`. */
        fun fromJson(json: JSONObject): CalibrationOutputs {
            val edges = json.getJSONArray("score_edges")
            val shares = json.getJSONArray("score_shares")
            if (shares.length() !=
                edges.length() + 1
            ) {
                throw JSONException("${shares.length()} score_shares for ${edges.length()} score_edges")
            }
            return CalibrationOutputs(
                scoreEdges = FloatArray(edges.length()) { edges.getDouble(it).toFloat() },
                scoreShares = DoubleArray(shares.length()) { shares.getDouble(it) },
                possibleFace = json.getDouble("possible_face").toFloat(),
                surestLowerQuartile = json.getDouble("surest_lower_quartile").toFloat(),
                saturatedShare = json.getDouble("saturated_share"),
            )
        }
    }
}

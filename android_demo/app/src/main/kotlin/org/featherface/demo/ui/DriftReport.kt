package org.featherface.demo.ui

import android.content.res.Resources
import org.featherface.demo.R
import org.featherface.demo.detector.Drift
import org.featherface.demo.detector.FaceChanges

/**
 * How the camera's last pictures compare with the calibration's, and the model with its float twin on some of them.
 *
 * @property checks frames that the twin has searched, too
 * @property faces the faces of those frames
 */
data class DriftReport(
    val drifts: Set<Drift> = setOf(),
    val checks: Int = 0,
    val faces: FaceChanges = FaceChanges(0, 0, 0, 0f),
) {
    /** In words; empty where there is nothing to say. */
    fun text(resources: Resources): String {
        val lines = mutableListOf<String>()
        if (drifts.isNotEmpty()) {
            lines +=
                resources.getString(R.string.drift, drifts.joinToString { resources.getString(NAMES.getValue(it)) })
        }
        val all = faces.same + faces.onlyCandidate + faces.onlyReference
        if (checks > 0) lines += resources.getQuantityString(R.plurals.float_checks, checks, checks, faces.same, all)
        return lines.joinToString("\n")
    }

    private companion object {
        val NAMES =
            mapOf(
                Drift.SCORES to R.string.drift_scores,
                Drift.SURENESS to R.string.drift_sureness,
                Drift.SATURATION to R.string.drift_saturation,
            )
    }
}

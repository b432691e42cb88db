package org.featherface.demo.ui

import org.featherface.demo.detector.CalibrationOutputs
import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.DriftWatch
import org.featherface.demo.detector.FaceChanges
import org.featherface.demo.detector.PictureOutputs
import org.featherface.demo.detector.RawOutputs
import org.featherface.demo.detector.decoders.Decoders

/**
 * Looks at some of a camera's frames: neighbouring ones show the same. Not safe for two threads at once.
 *
 * @param calibration of the model; null: it came without, and only its float twin can say something
 */
class DriftMonitor(
    spec: DetectorSpec,
    private val calibration: CalibrationOutputs?,
) {
    private val decoder = Decoders.of(spec)
    private val watch = calibration?.let(::DriftWatch)
    private var frames = 0

    /** What is known so far. */
    var report = DriftReport()
        private set

    /**
     * Take in the [outputs] of one more frame.
     *
     * @param compared runs the model and its twin on that frame; null: not wanted
     */
    fun see(
        outputs: RawOutputs,
        compared: (() -> FaceChanges)?,
    ) {
        val number = frames++
        if (watch != null && calibration != null && number % WATCHED == 0) {
            watch.add(PictureOutputs.of(outputs, decoder, calibration.scoreEdges))
            report = report.copy(drifts = watch.drifts())
        }
        if (compared != null && number % COMPARED == 0) {
            report = report.copy(checks = report.checks + 1, faces = report.faces + compared())
        }
    }

    private companion object {
        const val WATCHED = 10
        const val COMPARED = 100
    }
}

package org.featherface.demo.ui

import org.featherface.demo.detector.Detections
import org.featherface.demo.detector.Letterbox
import org.featherface.demo.detector.StageTimes

/**
 * The newest frame's faces, handed from the detector's thread to the screen's. Reused; guarded by its own lock.
 *
 * @property imageWidth pixels of the upright image that the faces refer to, as [imageHeight]
 */
class FrameResult {
    var faces = Detections(USUAL)
        private set
    val times = StageTimes()
    var imageWidth = 0
        private set
    var imageHeight = 0
        private set

    /**
     * Take in a new frame's faces.
     *
     * @param fit how the upright image was fitted into the network's input
     */
    @Synchronized
    fun set(
        found: Detections,
        took: StageTimes,
        fit: Letterbox,
    ) {
        take(found)
        took.milliseconds.copyInto(times.milliseconds)
        imageWidth = fit.imageWidth
        imageHeight = fit.imageHeight
    }

    /** Copy the newest faces to [target]. */
    @Synchronized
    fun copyTo(target: FrameResult) {
        target.take(faces)
        times.milliseconds.copyInto(target.times.milliseconds)
        target.imageWidth = imageWidth
        target.imageHeight = imageHeight
    }

    /** Forget the faces. */
    @Synchronized
    fun clear() {
        faces.count = 0
    }

    private fun take(found: Detections) {
        if (found.count > faces.capacity || found.points != faces.points) faces = Detections(found.capacity, found.points)
        faces.copyFrom(found)
    }

    private companion object {
        /** Room to begin with; a larger crowd makes more. */
        const val USUAL = 64
    }
}

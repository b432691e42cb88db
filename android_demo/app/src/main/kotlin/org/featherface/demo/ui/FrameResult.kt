package org.featherface.demo.ui

import org.featherface.demo.detector.Detections
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.Stage
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
     * @param copied milliseconds that the frame took from the camera's buffer to [image]
     */
    @Synchronized
    fun set(
        found: Detections,
        took: StageTimes,
        image: ImageSource,
        copied: Double,
    ) {
        take(found)
        took.milliseconds.copyInto(times.milliseconds)
        times.milliseconds[Stage.LETTERBOX.ordinal] += copied
        imageWidth = image.uprightWidth
        imageHeight = image.uprightHeight
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
        if (found.count > faces.capacity) faces = Detections(found.capacity)
        faces.copyFrom(found)
    }

    private companion object {
        /** Room to begin with; a larger crowd makes more. */
        const val USUAL = 64
    }
}

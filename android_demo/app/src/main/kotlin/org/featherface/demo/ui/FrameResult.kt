package org.featherface.demo.ui

import org.featherface.demo.detector.Detections
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.StageTimes

/**
 * The newest frame's faces, handed from the detector's thread to the screen's. Reused; guarded by its own lock.
 *
 * @property imageWidth pixels of the upright image that the faces refer to, as [imageHeight]
 */
class FrameResult {
    val faces = Detections(MAX_SHOWN)
    val times = StageTimes()
    var imageWidth = 0
        private set
    var imageHeight = 0
        private set

    /** Take in a new frame's faces. */
    @Synchronized
    fun set(
        found: Detections,
        took: StageTimes,
        image: ImageSource,
    ) {
        faces.copyFrom(found)
        took.milliseconds.copyInto(times.milliseconds)
        imageWidth = image.uprightWidth
        imageHeight = image.uprightHeight
    }

    /** Copy the newest faces to [target]. */
    @Synchronized
    fun copyTo(target: FrameResult) {
        target.faces.copyFrom(faces)
        times.milliseconds.copyInto(target.times.milliseconds)
        target.imageWidth = imageWidth
        target.imageHeight = imageHeight
    }

    /** Forget the faces. */
    @Synchronized
    fun clear() {
        faces.count = 0
    }

    private companion object {
        /** More boxes than this on a phone's screen are a wall. */
        const val MAX_SHOWN = 200
    }
}

package org.featherface.demo.camera

import android.media.Image
import org.featherface.demo.detector.Rotation
import org.featherface.demo.detector.YuvImage
import java.nio.ByteBuffer

/** Shows camera frames to the detector through one reused [YuvImage], without copying what lies in direct memory. */
class FrameReader {
    private val frame = YuvImage()

    /**
     * Look at [image] (YUV_420_888).
     *
     * @return an object that the next call overwrites, and that holds good only until [image] is closed
     */
    fun read(
        image: Image,
        rotation: Rotation,
    ): YuvImage {
        val planes = image.planes
        frame.width = image.width
        frame.height = image.height
        frame.rotation = rotation
        frame.lumaRowStride = planes[0].rowStride
        frame.chromaRowStride = planes[1].rowStride
        frame.chromaPixelStride = planes[1].pixelStride
        for (index in planes.indices) frame.planes[index] = planes[index].buffer
        if (!frame.planes.all(::isMappable)) {
            frame.copyPlanes()
            frame.planes.fill(null)
        }
        return frame
    }

    /** Whether native code can find the bytes; all cameras' can. */
    private fun isMappable(plane: ByteBuffer?) = plane != null && plane.isDirect && plane.position() == 0
}

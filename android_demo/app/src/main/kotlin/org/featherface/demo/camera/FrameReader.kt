package org.featherface.demo.camera

import android.media.Image
import org.featherface.demo.detector.Rotation
import org.featherface.demo.detector.YuvImage
import java.nio.ByteBuffer

/** Copies camera frames into one reused [YuvImage], so that the camera gets its buffer back before inference. */
class FrameReader {
    private val frame = YuvImage()

    /**
     * Copy [image] (YUV_420_888).
     *
     * @return an object that the next call overwrites
     */
    fun read(
        image: Image,
        rotation: Rotation,
    ): YuvImage {
        val (luma, blue, red) = image.planes
        frame.width = image.width
        frame.height = image.height
        frame.rotation = rotation
        frame.lumaRowStride = luma.rowStride
        frame.chromaRowStride = blue.rowStride
        frame.chromaPixelStride = blue.pixelStride
        frame.luma = copy(luma.buffer, frame.luma)
        frame.blue = copy(blue.buffer, frame.blue)
        frame.red = copy(red.buffer, frame.red)
        return frame
    }

    private fun copy(
        from: ByteBuffer,
        to: ByteArray,
    ): ByteArray {
        val target = if (to.size == from.remaining()) to else ByteArray(from.remaining())
        from.get(target)
        return target
    }
}

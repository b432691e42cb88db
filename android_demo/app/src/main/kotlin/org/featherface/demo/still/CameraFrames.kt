package org.featherface.demo.still

import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Rotation
import org.featherface.demo.detector.YuvImage
import java.nio.ByteBuffer

/** Pictures as a camera would deliver them. */
object CameraFrames {
    /**
     * An upright picture as a frame of a phone that is held upright: on its side in the sensor's landscape, 4:2:0, blue and
     * red side by side, in direct memory.
     *
     * Source of the colours: ITU-T T.871 (JFIF), section 7, in 16-bit fixed point; the chroma is that of every second pixel.
     */
    fun of(picture: ArgbImage): YuvImage {
        val frame = YuvImage()
        frame.rotation = Rotation.RIGHT
        frame.width = picture.height
        frame.height = picture.width
        frame.lumaRowStride = frame.width
        frame.chromaPixelStride = 2
        frame.chromaRowStride = (frame.width + 1) / 2 * 2
        val luma = ByteBuffer.allocateDirect(frame.width * frame.height)
        val chromaRows = (frame.height + 1) / 2
        val chroma = List(2) { ByteBuffer.allocateDirect(frame.chromaRowStride * chromaRows) }
        for (row in 0 until frame.height) {
            for (column in 0 until frame.width) {
                val colour = picture.pixels[column * picture.width + frame.height - 1 - row]
                val red = colour shr 16 and 0xff
                val green = colour shr 8 and 0xff
                val blue = colour and 0xff
                luma.put(row * frame.width + column, (19595 * red + 38470 * green + 7471 * blue + HALF shr 16).toByte())
                if (row % 2 == 0 && column % 2 == 0) {
                    val at = row / 2 * frame.chromaRowStride + column
                    chroma[0].put(at, chromaOf(-11059 * red - 21709 * green + 32768 * blue))
                    chroma[1].put(at, chromaOf(32768 * red - 27439 * green - 5329 * blue))
                }
            }
        }
        frame.planes[0] = luma
        frame.planes[1] = chroma[0]
        frame.planes[2] = chroma[1]
        return frame
    }

    private fun chromaOf(value: Int) = ((value + HALF shr 16) + 128).coerceIn(0, 255).toByte()

    private const val HALF = 1 shl 15
}

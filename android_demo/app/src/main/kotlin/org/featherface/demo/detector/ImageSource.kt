package org.featherface.demo.detector

import java.nio.ByteBuffer

/**
 * Pixels as they are stored, and the turn that makes them upright.
 *
 * @property width pixels of the stored (unturned) image, as [height]
 */
sealed interface ImageSource {
    val width: Int
    val height: Int
    val rotation: Rotation

    /** Width of the upright image in pixels. */
    val uprightWidth: Int get() = if (rotation.isSideways) height else width

    /** Height of the upright image in pixels. */
    val uprightHeight: Int get() = if (rotation.isSideways) width else height
}

/** A still image: [pixels] is `[height * width]`, each 0xAARRGGBB; alpha is ignored. */
class ArgbImage(
    val pixels: IntArray,
    override val width: Int,
    override val height: Int,
    override val rotation: Rotation = Rotation.NONE,
) : ImageSource

/**
 * A camera frame: full-range BT.601 (JFIF) 4:2:0, what `YUV_420_888` delivers. One object is reused for all frames.
 *
 * @property luma `[height, lumaRowStride]`
 * @property blue chroma U, `[height / 2, chromaRowStride]` with [chromaPixelStride] bytes from pixel to pixel, as [red] (V)
 * @property planes luma, blue and red where the camera left them, in direct memory that it takes back; null: only copied
 */
class YuvImage : ImageSource {
    override var width = 0
    override var height = 0
    override var rotation = Rotation.NONE
    var luma = ByteArray(0)
    var blue = ByteArray(0)
    var red = ByteArray(0)
    val planes = arrayOfNulls<ByteBuffer>(3)
    var lumaRowStride = 0
    var chromaRowStride = 0
    var chromaPixelStride = 1

    /** Whether [planes] holds the frame. */
    val isInPlace: Boolean get() = planes[0] != null && planes[1] != null && planes[2] != null

    /** Copy what is in [planes] to the arrays, for a reader that needs those. */
    fun copyPlanes() {
        luma = copy(planes[0], luma)
        blue = copy(planes[1], blue)
        red = copy(planes[2], red)
    }

    private fun copy(
        from: ByteBuffer?,
        to: ByteArray,
    ): ByteArray {
        if (from == null) return to
        from.position(0)
        val target = if (to.size == from.remaining()) to else ByteArray(from.remaining())
        from.get(target)
        from.position(0)
        return target
    }
}

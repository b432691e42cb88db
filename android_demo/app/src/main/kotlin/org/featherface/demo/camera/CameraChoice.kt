package org.featherface.demo.camera

/** A frame size in pixels. */
data class FrameSize(
    val width: Int,
    val height: Int,
)

/** Frames a second a camera may be asked for. */
data class FrameRate(
    val lowest: Int,
    val highest: Int,
)

/** Which of a camera's modes to use. */
object CameraChoice {
    private const val SHORT_SIDE = 480

    /** Larger frames cost time to copy and would be thrown away by the letterbox: shape counts only within this factor. */
    private const val AREA_FOR_SHAPE = 4

    /** What every camera can show beside the frames it delivers. Source: CameraDevice.createCaptureSession, its tables. */
    private const val PREVIEW_LONG_SIDE = 1920
    private const val PREVIEW_SHORT_SIDE = 1080

    /**
     * A size whose shorter side has at least [SHORT_SIDE] pixels and what the network needs: of the shape of most sensors (4:3),
     * whose view is the widest, and the smallest of that shape; another shape only if it is far smaller.
     *
     * @param offered not empty
     * @param needed the longer side of the network's input in pixels
     */
    fun size(
        offered: List<FrameSize>,
        needed: Int,
    ): FrameSize {
        val enough = offered.filter { minOf(it.width, it.height) >= SHORT_SIDE && maxOf(it.width, it.height) >= needed }
        val smallest = enough.minOfOrNull { it.area } ?: return offered.maxWith(compareBy({ it.area }, { -shapeError(it) }))
        val affordable = enough.filter { it.area <= AREA_FOR_SHAPE * smallest }
        return affordable.minWith(compareBy({ shapeError(it) }, { it.area }))
    }

    /** The largest size of the shape of [frames] that is not finer than a screen can show; [frames] itself if there is none. */
    fun preview(
        offered: List<FrameSize>,
        frames: FrameSize,
    ): FrameSize =
        offered
            .filter { it.width.toLong() * frames.height == it.height.toLong() * frames.width }
            .filter { maxOf(it.width, it.height) <= PREVIEW_LONG_SIDE && minOf(it.width, it.height) <= PREVIEW_SHORT_SIDE }
            .filter { it.area >= frames.area }
            .maxByOrNull { it.area } ?: frames

    /** The fastest rate; of several the one that may slow down most in the dark. Null if [offered] is empty. */
    fun rate(offered: List<FrameRate>): FrameRate? = offered.maxWithOrNull(compareBy({ it.highest }, { -it.lowest }))

    private fun shapeError(size: FrameSize) = kotlin.math.abs(3.0 * size.width / (4.0 * size.height) - 1)

    private val FrameSize.area get() = width.toLong() * height
}

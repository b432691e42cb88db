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

    /**
     * The smallest size whose shorter side has at least [SHORT_SIDE] pixels and what the network needs: more pixels cost
     * time to copy and would be thrown away by the letterbox.
     *
     * @param offered not empty
     * @param needed the longer side of the network's input in pixels
     */
    fun size(
        offered: List<FrameSize>,
        needed: Int,
    ): FrameSize {
        val enough = offered.filter { minOf(it.width, it.height) >= SHORT_SIDE && maxOf(it.width, it.height) >= needed }
        // Of equal sizes the one nearest to 4:3, the shape of most sensors: it has the widest view.
        val order = compareBy<FrameSize>({ it.width.toLong() * it.height }, { kotlin.math.abs(3 * it.width - 4 * it.height) })
        return enough.minWithOrNull(order) ?: offered.maxWith(order)
    }

    /** The fastest rate; of several the one that may slow down most in the dark. Null if [offered] is empty. */
    fun rate(offered: List<FrameRate>): FrameRate? = offered.maxWithOrNull(compareBy({ it.highest }, { -it.lowest }))
}

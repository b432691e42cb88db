package org.featherface.demo.detector

import java.nio.ByteBuffer
import java.nio.FloatBuffer

/**
 * Writes images into a network's input: turned upright, scaled bilinearly, letterboxed, RGB, in one pass.
 *
 * The tables are rebuilt only when the image's size, rotation or layout changes; a frame allocates nothing.
 * Not safe for two threads at once.
 */
class InputWriter(
    private val spec: DetectorSpec,
    type: ElementType,
) {
    private val canvas = ByteArray(spec.inputHeight * spec.inputWidth * 3)
    private val floats = if (type == ElementType.FLOAT32) FloatArray(canvas.size) else null
    private var floatView: FloatBuffer? = null
    private var floatViewOf: ByteBuffer? = null
    private var plan: SamplingPlan? = null

    /**
     * Write [image] into [input], whose layout is `[1, H, W, 3]`: uint8, or float32 with values 0..255.
     *
     * @return how the image was fitted
     */
    fun write(
        image: ImageSource,
        input: ByteBuffer,
    ): Letterbox {
        val current = plan?.takeIf { it.suits(image) } ?: SamplingPlan(spec, image).also(::start)
        when (image) {
            is ArgbImage -> ArgbSampler.write(image, current, canvas, spec.inputWidth)
            is YuvImage -> YuvSampler.write(image, current, canvas, spec.inputWidth)
        }
        copyTo(input)
        return current.letterbox
    }

    private fun start(next: SamplingPlan) {
        plan = next
        for (index in canvas.indices) canvas[index] = spec.padRgb[index % 3].toByte()
    }

    private fun copyTo(input: ByteBuffer) {
        if (floats == null) {
            input.position(0)
            input.put(canvas)
            input.position(0)
            return
        }
        for (index in canvas.indices) floats[index] = (canvas[index].toInt() and 0xff).toFloat()
        if (floatViewOf !== input) {
            input.position(0)
            floatView = input.asFloatBuffer()
            floatViewOf = input
        }
        floatView?.run {
            position(0)
            put(floats)
        }
    }
}

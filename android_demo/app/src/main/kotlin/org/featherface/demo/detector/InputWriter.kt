package org.featherface.demo.detector

import org.featherface.demo.NativeLibrary
import java.nio.ByteBuffer
import java.nio.FloatBuffer

/**
 * Writes images into a network's input: turned upright, scaled bilinearly, letterboxed, RGB, in one pass.
 *
 * The tables are rebuilt only when the image's size, rotation or layout changes; a frame allocates nothing.
 * Not safe for two threads at once.
 *
 * @param isNative whether camera frames go through the C library where it loads; false: through the same loop in Kotlin
 */
class InputWriter(
    private val spec: DetectorSpec,
    private val type: ElementType,
    private val isNative: Boolean = true,
) {
    // Camera frames that the native code writes need neither.
    private val canvas by lazy(LazyThreadSafetyMode.NONE) { ByteArray(spec.inputHeight * spec.inputWidth * 3) }
    private val floats by lazy(LazyThreadSafetyMode.NONE) { FloatArray(canvas.size) }
    private val views = FloatViews()
    private var plan: SamplingPlan? = null
    private var native: NativePlan? = null
    private var bordered: SamplingPlan? = null

    /** Whether the last image went through the C library. */
    var wasNative = false
        private set

    /**
     * Write [image] into [input], whose layout is `[1, H, W, 3]`: uint8, int8 (a pixel less 128), or float32 with values 0..255.
     *
     * @return how the image was fitted
     * @throws DetectorException a camera frame is smaller than it says
     */
    fun write(
        image: ImageSource,
        input: ByteBuffer,
    ): Letterbox {
        val current = plan?.takeIf { it.suits(image) } ?: SamplingPlan(spec, image).also { start(it, image) }
        wasNative = image is YuvImage && native?.write(image, input, type) == true
        if (!wasNative) writeInKotlin(image, current, input)
        return current.letterbox
    }

    private fun start(
        next: SamplingPlan,
        image: ImageSource,
    ) {
        plan = next
        native =
            if (isNative && image is YuvImage && image.isInPlace && NativeLibrary.isAvailable) NativePlan.of(spec, next, image) else null
    }

    private fun writeInKotlin(
        image: ImageSource,
        current: SamplingPlan,
        input: ByteBuffer,
    ) {
        if (bordered !== current) {
            for (index in canvas.indices) canvas[index] = spec.padRgb[index % 3].toByte()
            bordered = current
        }
        when (image) {
            is ArgbImage -> ArgbSampler.write(image, current, canvas, spec.inputWidth)
            is YuvImage -> writeFrame(image, current)
        }
        copyTo(input)
    }

    private fun writeFrame(
        image: YuvImage,
        current: SamplingPlan,
    ) {
        image.copyPlanes()
        try {
            YuvSampler.write(image, current, canvas, spec.inputWidth)
        } catch (error: IndexOutOfBoundsException) {
            val planes = "${image.luma.size}, ${image.blue.size} and ${image.red.size} bytes"
            throw DetectorException("a camera frame of ${image.width} x ${image.height} came with planes of $planes", error)
        }
    }

    private fun copyTo(input: ByteBuffer) {
        if (type != ElementType.FLOAT32) {
            input.position(0)
            if (type == ElementType.UINT8) input.put(canvas) else for (pixel in canvas) input.put((pixel.toInt() xor TOP_BIT).toByte())
            input.position(0)
            return
        }
        for (index in canvas.indices) floats[index] = (canvas[index].toInt() and 0xff).toFloat()
        val view = views.of(input)
        view.position(0)
        view.put(floats)
    }

    private companion object {
        /** A pixel with it flipped is an int8 of 128 less. */
        const val TOP_BIT = 0x80
    }
}

/** The float views of the buffers that take turns as a network's input: making one anew for each frame would allocate. */
private class FloatViews {
    private val buffers = arrayOfNulls<ByteBuffer>(KEPT)
    private val views = arrayOfNulls<FloatBuffer>(KEPT)
    private var next = 0

    fun of(buffer: ByteBuffer): FloatBuffer {
        for (index in buffers.indices) if (buffers[index] === buffer) return checkNotNull(views[index])
        buffer.position(0)
        val view = buffer.asFloatBuffer()
        buffers[next] = buffer
        views[next] = view
        next = (next + 1) % KEPT
        return view
    }

    private companion object {
        /** Two for the camera, one for pictures. */
        const val KEPT = 3
    }
}

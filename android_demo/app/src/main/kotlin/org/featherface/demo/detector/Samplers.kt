package org.featherface.demo.detector

/** Mix four neighbours with 11-bit weights, rounding as OpenCV's 8-bit bilinear resize does. */
private fun mix(
    top: Int,
    bottom: Int,
    topWeight: Int,
    bottomWeight: Int,
): Int = (((topWeight * (top shr 4)) shr 16) + ((bottomWeight * (bottom shr 4)) shr 16) + 2) shr 2

/** Resizes a still image into the canvas `[H, W, 3]` (uint8 RGB). */
internal object ArgbSampler {
    fun write(
        image: ArgbImage,
        plan: SamplingPlan,
        canvas: ByteArray,
        canvasWidth: Int,
    ) {
        val pixels = image.pixels
        val columns = plan.columns
        for (y in 0 until plan.letterbox.contentHeight) {
            val above = plan.rowFirst[y]
            val below = plan.rowSecond[y]
            val aboveWeight = plan.rows.firstWeight[y]
            val belowWeight = plan.rows.secondWeight[y]
            var out = 3 * y * canvasWidth
            for (x in 0 until plan.letterbox.contentWidth) {
                val topLeft = pixels[above + plan.columnFirst[x]]
                val topRight = pixels[above + plan.columnSecond[x]]
                val bottomLeft = pixels[below + plan.columnFirst[x]]
                val bottomRight = pixels[below + plan.columnSecond[x]]
                val left = columns.firstWeight[x]
                val right = columns.secondWeight[x]
                var shift = 16
                while (shift >= 0) {
                    val top = (topLeft shr shift and 0xff) * left + (topRight shr shift and 0xff) * right
                    val bottom = (bottomLeft shr shift and 0xff) * left + (bottomRight shr shift and 0xff) * right
                    canvas[out++] = mix(top, bottom, aboveWeight, belowWeight).toByte()
                    shift -= 8
                }
            }
        }
    }
}

/**
 * Resizes a camera frame into the canvas: luma bilinearly, chroma from the nearest sample, then to RGB.
 *
 * Source of the colour matrix: ITU-T T.871 (JFIF), section 7, in 16-bit fixed point.
 */
internal object YuvSampler {
    private const val RED_FROM_RED = 91881
    private const val GREEN_FROM_BLUE = 22554
    private const val GREEN_FROM_RED = 46802
    private const val BLUE_FROM_BLUE = 116130
    private const val HALF = 1 shl 15

    fun write(
        image: YuvImage,
        plan: SamplingPlan,
        canvas: ByteArray,
        canvasWidth: Int,
    ) {
        val luma = image.luma
        val columns = plan.columns
        for (y in 0 until plan.letterbox.contentHeight) {
            val above = plan.rowFirst[y]
            val below = plan.rowSecond[y]
            val aboveWeight = plan.rows.firstWeight[y]
            val belowWeight = plan.rows.secondWeight[y]
            val chroma = plan.chromaRow[y]
            var out = 3 * y * canvasWidth
            for (x in 0 until plan.letterbox.contentWidth) {
                val first = plan.columnFirst[x]
                val second = plan.columnSecond[x]
                val left = columns.firstWeight[x]
                val right = columns.secondWeight[x]
                val top = (luma[above + first].toInt() and 0xff) * left + (luma[above + second].toInt() and 0xff) * right
                val bottom = (luma[below + first].toInt() and 0xff) * left + (luma[below + second].toInt() and 0xff) * right
                val light = mix(top, bottom, aboveWeight, belowWeight)
                val blue = (image.blue[chroma + plan.chromaColumn[x]].toInt() and 0xff) - 128
                val red = (image.red[chroma + plan.chromaColumn[x]].toInt() and 0xff) - 128
                canvas[out++] = byteOf(light + (RED_FROM_RED * red + HALF shr 16))
                canvas[out++] = byteOf(light - (GREEN_FROM_BLUE * blue + GREEN_FROM_RED * red + HALF shr 16))
                canvas[out++] = byteOf(light + (BLUE_FROM_BLUE * blue + HALF shr 16))
            }
        }
    }

    private fun byteOf(value: Int): Byte =
        (
            if (value < 0) {
                0
            } else if (value > 255) {
                255
            } else {
                value
            }
        ).toByte()
}

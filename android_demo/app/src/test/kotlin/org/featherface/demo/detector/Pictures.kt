package org.featherface.demo.detector

/** The test pattern of `tests/golden/make_goldens.py`: (7x + 13y + 29c + xy) mod 256. */
fun pattern(
    width: Int,
    height: Int,
) = picture(width, height) { x, y, channel -> (7 * x + 13 * y + 29 * channel + x * y) % 256 }

/** Colours that change slowly, so that 4:2:0 loses little. */
fun gradient(
    width: Int,
    height: Int,
) = picture(width, height) { x, y, channel -> 40 + x * (channel + 1) + y * (3 - channel) / 2 and 0xff }

private fun picture(
    width: Int,
    height: Int,
    value: (Int, Int, Int) -> Int,
) = ArgbImage(
    IntArray(width * height) { index ->
        val x = index % width
        val y = index / width
        (value(x, y, 0) shl 16) or (value(x, y, 1) shl 8) or value(x, y, 2)
    },
    width,
    height,
)

/** The picture as a sensor would store it that needs [rotation] to become [upright]. */
fun stored(
    upright: ArgbImage,
    rotation: Rotation,
): ArgbImage {
    val width = if (rotation.isSideways) upright.height else upright.width
    val height = if (rotation.isSideways) upright.width else upright.height
    val pixels = IntArray(width * height)
    for (y in 0 until upright.height) {
        for (x in 0 until upright.width) {
            // Undo the clockwise turn.
            val (column, row) =
                when (rotation) {
                    Rotation.NONE -> x to y
                    Rotation.RIGHT -> y to height - 1 - x
                    Rotation.HALF -> width - 1 - x to height - 1 - y
                    Rotation.LEFT -> width - 1 - y to x
                }
            pixels[row * width + column] = upright.pixels[y * upright.width + x]
        }
    }
    return ArgbImage(pixels, width, height, rotation)
}

/** A camera frame of the picture: JFIF colours by the floating-point formula, chroma averaged over 2 x 2 pixels. */
fun yuvOf(
    image: ArgbImage,
    planar: Boolean,
    padding: Int,
): YuvImage {
    val frame = YuvImage()
    frame.width = image.width
    frame.height = image.height
    frame.rotation = image.rotation
    frame.lumaRowStride = image.width + padding
    frame.chromaPixelStride = if (planar) 1 else 2
    frame.chromaRowStride = (image.width + 1) / 2 * frame.chromaPixelStride + padding
    frame.luma = ByteArray(frame.lumaRowStride * image.height)
    frame.blue = ByteArray(frame.chromaRowStride * ((image.height + 1) / 2))
    frame.red = ByteArray(frame.blue.size)
    for (y in 0 until image.height) {
        for (x in 0 until image.width) {
            val (red, green, blue) = List(3) { (image.pixels[y * image.width + x] shr (16 - 8 * it) and 0xff).toDouble() }
            frame.luma[y * frame.lumaRowStride + x] = byteOf(0.299 * red + 0.587 * green + 0.114 * blue)
        }
    }
    for (y in 0 until image.height step 2) {
        for (x in 0 until image.width step 2) {
            val (red, green, blue) = List(3) { average(image, x, y, 16 - 8 * it) }
            val at = y / 2 * frame.chromaRowStride + x / 2 * frame.chromaPixelStride
            frame.blue[at] = byteOf(128 - 0.168736 * red - 0.331264 * green + 0.5 * blue)
            frame.red[at] = byteOf(128 + 0.5 * red - 0.418688 * green - 0.081312 * blue)
        }
    }
    return frame
}

private fun average(
    image: ArgbImage,
    x: Int,
    y: Int,
    shift: Int,
): Double =
    listOf(0 to 0, 1 to 0, 0 to 1, 1 to 1)
        .filter { (right, down) -> x + right < image.width && y + down < image.height }
        .map { (right, down) -> image.pixels[(y + down) * image.width + x + right] shr shift and 0xff }
        .average()

private fun byteOf(value: Double) = Math.round(value).coerceIn(0, 255).toByte()

package org.featherface.demo.detector

/**
 * Where in a stored image each row and column of the upright, resized one is found.
 *
 * Turning is free: for every rotation a pixel's place in the stored plane is a part that depends on the upright column
 * plus a part that depends on the upright row.
 */
internal class SamplingPlan(
    spec: DetectorSpec,
    image: ImageSource,
) {
    private val layout = Layout.of(image)
    val letterbox = Letterbox.of(spec, image.uprightWidth, image.uprightHeight)
    val columns = ResizeTaps(image.uprightWidth, letterbox.contentWidth)
    val rows = ResizeTaps(image.uprightHeight, letterbox.contentHeight)

    /** Offsets into the full-resolution plane of each tap. */
    val columnFirst = offsets(columns.first, layout::column)
    val columnSecond = offsets(columns.second, layout::column)
    val rowFirst = offsets(rows.first, layout::row)
    val rowSecond = offsets(rows.second, layout::row)

    /** Offsets into the half-resolution chroma planes of the nearer tap. */
    val chromaColumn = offsets(nearer(columns), layout::chromaColumn)
    val chromaRow = offsets(nearer(rows), layout::chromaRow)

    fun suits(image: ImageSource) = layout.describes(image)

    private fun offsets(
        pixels: IntArray,
        place: (Int) -> Int,
    ) = IntArray(pixels.size) { place(pixels[it]) }

    private fun nearer(taps: ResizeTaps) =
        IntArray(taps.first.size) { if (taps.secondWeight[it] > taps.firstWeight[it]) taps.second[it] else taps.first[it] }
}

/** Everything about a stored image, apart from its pixels, that places depend on. */
internal data class Layout(
    val width: Int,
    val height: Int,
    val rotation: Rotation,
    val rowStride: Int,
    val chromaRowStride: Int,
    val chromaPixelStride: Int,
) {
    /** Part of the offset that comes from upright column [x]. */
    fun column(x: Int): Int = if (rotation.isSideways) rowStride * storedFromColumn(x) else storedFromColumn(x)

    /** Part of the offset that comes from upright row [y]. */
    fun row(y: Int): Int = if (rotation.isSideways) storedFromRow(y) else rowStride * storedFromRow(y)

    fun chromaColumn(x: Int): Int = storedFromColumn(x) / 2 * if (rotation.isSideways) chromaRowStride else chromaPixelStride

    fun chromaRow(y: Int): Int = storedFromRow(y) / 2 * if (rotation.isSideways) chromaPixelStride else chromaRowStride

    /** Compares without making an object, for every frame. */
    fun describes(image: ImageSource): Boolean =
        width == image.width && height == image.height && rotation == image.rotation &&
            when (image) {
                is ArgbImage -> {
                    rowStride == image.width && chromaPixelStride == 0
                }

                is YuvImage -> {
                    rowStride == image.lumaRowStride && chromaRowStride == image.chromaRowStride &&
                        chromaPixelStride == image.chromaPixelStride
                }
            }

    private fun storedFromColumn(x: Int) =
        when (rotation) {
            Rotation.NONE, Rotation.LEFT -> x
            Rotation.RIGHT -> height - 1 - x
            Rotation.HALF -> width - 1 - x
        }

    private fun storedFromRow(y: Int) =
        when (rotation) {
            Rotation.NONE, Rotation.RIGHT -> y
            Rotation.HALF -> height - 1 - y
            Rotation.LEFT -> width - 1 - y
        }

    companion object {
        fun of(image: ImageSource): Layout =
            when (image) {
                is ArgbImage -> {
                    Layout(image.width, image.height, image.rotation, image.width, 0, 0)
                }

                is YuvImage -> {
                    Layout(
                        image.width,
                        image.height,
                        image.rotation,
                        image.lumaRowStride,
                        image.chromaRowStride,
                        image.chromaPixelStride,
                    )
                }
            }
    }
}

package org.featherface.demo.ui

/**
 * Carries points of an upright image into the view that shows it: as large as fits, in the middle, mirrored for the
 * front camera, whose preview is a mirror.
 *
 * @param imageWidth pixels, as the other sizes
 */
class ViewMapping(
    private val imageWidth: Int,
    private val imageHeight: Int,
    viewWidth: Int,
    viewHeight: Int,
    private val mirrored: Boolean,
) {
    /** View pixels of an image pixel. */
    val scale: Float = minOf(viewWidth.toFloat() / imageWidth, viewHeight.toFloat() / imageHeight)

    /** Where the image begins in the view. */
    val left: Float = (viewWidth - imageWidth * scale) / 2

    /** Where the image begins in the view. */
    val top: Float = (viewHeight - imageHeight * scale) / 2

    /** View position of image column [x]. */
    fun x(x: Float): Float = left + (if (mirrored) imageWidth - x else x) * scale

    /** View position of image row [y]. */
    fun y(y: Float): Float = top + y * scale

    /** Whether this mapping was made for these sizes. */
    fun suits(
        width: Int,
        height: Int,
        isMirrored: Boolean,
    ): Boolean = width == imageWidth && height == imageHeight && isMirrored == mirrored
}

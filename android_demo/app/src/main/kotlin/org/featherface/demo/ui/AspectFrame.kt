package org.featherface.demo.ui

import android.content.Context
import android.util.AttributeSet
import android.widget.FrameLayout

/** Gives its children the largest rectangle of the picture's shape that fits, in the middle. */
class AspectFrame(
    context: Context,
    attributes: AttributeSet?,
) : FrameLayout(context, attributes) {
    private var pictureWidth = 3
    private var pictureHeight = 4

    /** Take the shape of an upright picture, in any unit. */
    fun setShape(
        width: Int,
        height: Int,
    ) {
        if (width == pictureWidth && height == pictureHeight) return
        pictureWidth = width
        pictureHeight = height
        requestLayout()
    }

    override fun onMeasure(
        widthMeasureSpec: Int,
        heightMeasureSpec: Int,
    ) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val height = MeasureSpec.getSize(heightMeasureSpec)
        val wide = width.toLong() * pictureHeight > height.toLong() * pictureWidth
        val fittedWidth = if (wide) (height.toLong() * pictureWidth / pictureHeight).toInt() else width
        val fittedHeight = if (wide) height else (width.toLong() * pictureHeight / pictureWidth).toInt()
        super.onMeasure(
            MeasureSpec.makeMeasureSpec(fittedWidth, MeasureSpec.EXACTLY),
            MeasureSpec.makeMeasureSpec(fittedHeight, MeasureSpec.EXACTLY),
        )
    }
}

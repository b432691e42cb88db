package org.featherface.demo.ui

import android.content.Context
import android.util.AttributeSet
import android.widget.LinearLayout

/** Takes at most half of the height there is; what scrolls in it gets the rest: with large letters the picture would have no room left. */
class HalfSheet(
    context: Context,
    attributes: AttributeSet?,
) : LinearLayout(context, attributes) {
    override fun onMeasure(
        widthMeasureSpec: Int,
        heightMeasureSpec: Int,
    ) {
        val half = MeasureSpec.getSize(heightMeasureSpec) / 2
        super.onMeasure(widthMeasureSpec, MeasureSpec.makeMeasureSpec(half, MeasureSpec.AT_MOST))
    }
}

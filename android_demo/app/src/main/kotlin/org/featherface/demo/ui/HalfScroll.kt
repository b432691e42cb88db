package org.featherface.demo.ui

import android.content.Context
import android.util.AttributeSet
import android.widget.ScrollView

/** Takes at most half of the height there is and scrolls beyond it: with large letters the picture would have no room left. */
class HalfScroll(
    context: Context,
    attributes: AttributeSet?,
) : ScrollView(context, attributes) {
    override fun onMeasure(
        widthMeasureSpec: Int,
        heightMeasureSpec: Int,
    ) {
        val half = MeasureSpec.getSize(heightMeasureSpec) / 2
        super.onMeasure(widthMeasureSpec, MeasureSpec.makeMeasureSpec(half, MeasureSpec.AT_MOST))
    }
}

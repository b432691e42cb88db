package org.featherface.demo.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import org.featherface.demo.R

/** A frame's time as one bar, a colour for each stage, in the order of [COLOURS]. */
class StageBar(
    context: Context,
    attributes: AttributeSet?,
) : View(context, attributes) {
    private val paints = COLOURS.map { colour -> Paint().apply { color = context.getColor(colour) } }
    private val milliseconds = DoubleArray(COLOURS.size)

    /** Show how long each stage takes, one number for each of [COLOURS]. */
    fun show(stages: DoubleArray) {
        stages.copyInto(milliseconds)
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val whole = milliseconds.sum()
        if (whole <= 0) return
        var left = 0f
        for (index in milliseconds.indices) {
            val right = left + (width * milliseconds[index] / whole).toFloat()
            canvas.drawRect(left, 0f, right, height.toFloat(), paints[index])
            left = right
        }
    }

    companion object {
        /** To tensor, network, decoding with suppression, drawing. */
        val COLOURS = listOf(R.color.stage_tensor, R.color.stage_network, R.color.stage_decode, R.color.stage_draw)
    }
}

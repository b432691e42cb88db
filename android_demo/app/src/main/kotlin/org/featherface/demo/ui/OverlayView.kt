package org.featherface.demo.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.DashPathEffect
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import org.featherface.demo.R
import org.featherface.demo.detector.StageTimes

/** Hears how many milliseconds a drawing took; not a function type, which would box every number. */
fun interface DrawListener {
    fun onDrawn(milliseconds: Double)
}

/** Draws boxes, landmarks and scores over the picture; allocates nothing while drawing a camera's frame. */
class OverlayView(
    context: Context,
    attributes: AttributeSet?,
) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val box = paint(R.color.box).apply { style = Paint.Style.STROKE }
    private val shadow = paint(R.color.box_shadow).apply { style = Paint.Style.STROKE }
    private val points = IntArray(POINT_COLOURS.size) { context.getColor(POINT_COLOURS[it]) }
    private val point = Paint(Paint.ANTI_ALIAS_FLAG)
    private val text = paint(R.color.label_text).apply { textSize = 12 * density }
    private val label = paint(R.color.box)
    private val other = paint(R.color.box_other).apply { style = Paint.Style.STROKE }
    private val score = ScoreText()
    private val shown = FrameResult()
    private var compared: FrameResult? = null
    private var mapping: ViewMapping? = null
    private var mirrored = false

    /** Hears after each drawing how long it took. */
    var drawListener: DrawListener? = null

    /** Number of faces on the screen. */
    val faceCount: Int get() = shown.faces.count

    /** How long the stages of the shown frame took; the detector does not write to it. */
    val times: StageTimes get() = shown.times

    /**
     * Show the faces of [result]; [mirror] where the picture behind is a mirror's.
     *
     * @param reference of the same image, drawn dashed over the others in a colour of its own; never written to again
     */
    fun show(
        result: FrameResult,
        mirror: Boolean,
        reference: FrameResult? = null,
    ) {
        result.copyTo(shown)
        compared = reference
        if (mapping?.suits(shown.imageWidth, shown.imageHeight, mirror) != true) {
            mirrored = mirror
            mapping = null
        }
        invalidate()
    }

    /** Remove all faces. */
    fun clear() {
        shown.clear()
        compared = null
        invalidate()
    }

    override fun onSizeChanged(
        width: Int,
        height: Int,
        oldWidth: Int,
        oldHeight: Int,
    ) {
        mapping = null
    }

    override fun onDraw(canvas: Canvas) {
        val start = System.nanoTime()
        if (shown.imageWidth > 0) drawFaces(canvas)
        drawListener?.onDrawn((System.nanoTime() - start) / 1e6)
    }

    private fun drawFaces(canvas: Canvas) {
        val place = mapping ?: ViewMapping(shown.imageWidth, shown.imageHeight, width, height, mirrored).also { mapping = it }
        for (index in shown.faces.count - 1 downTo 0) drawFace(canvas, place, index)
        compared?.let { for (index in 0 until it.faces.count) drawOther(canvas, place, it.faces.boxes, 4 * index) }
    }

    private fun drawOther(
        canvas: Canvas,
        place: ViewMapping,
        boxes: FloatArray,
        at: Int,
    ) {
        val (left, right) = listOf(place.x(boxes[at]), place.x(boxes[at + 2]))
        val dash = ((right - left) / 12).coerceIn(2 * density, 10 * density)
        other.strokeWidth = widthOf(right - left)
        other.pathEffect = DashPathEffect(floatArrayOf(dash, dash), 0f)
        canvas.drawRect(left, place.y(boxes[at + 1]), right, place.y(boxes[at + 3]), other)
    }

    /** Thin lines on small faces, or crowds become one blot. */
    private fun widthOf(side: Float) = (side / 24).coerceIn(1.2f * density, 3 * density)

    private fun drawFace(
        canvas: Canvas,
        place: ViewMapping,
        index: Int,
    ) {
        val boxes = shown.faces.boxes
        val first = place.x(boxes[4 * index])
        val second = place.x(boxes[4 * index + 2])
        val left = minOf(first, second)
        val right = maxOf(first, second)
        val top = place.y(boxes[4 * index + 1])
        val bottom = place.y(boxes[4 * index + 3])
        box.strokeWidth = widthOf(right - left)
        shadow.strokeWidth = box.strokeWidth + 1.2f * density
        canvas.drawRect(left, top, right, bottom, shadow)
        canvas.drawRect(left, top, right, bottom, box)
        val radius = ((right - left) / 28).coerceIn(1.2f * density, 4 * density)
        for (number in 0 until shown.faces.points) {
            point.color = points[number % points.size]
            val at = 2 * (shown.faces.points * index + number)
            canvas.drawCircle(place.x(shown.faces.landmarks[at]), place.y(shown.faces.landmarks[at + 1]), radius, point)
        }
        if (right - left >= LABEL_FROM * density) drawScore(canvas, left, top, shown.faces.scores[index])
    }

    private fun drawScore(
        canvas: Canvas,
        left: Float,
        top: Float,
        value: Float,
    ) {
        val length = score.write(value)
        val width = text.measureText(score.characters, 0, length) + 6 * density
        val height = text.textSize + 4 * density
        val base = if (top >= height) top else top + height
        canvas.drawRect(left, base - height, left + width, base, label)
        canvas.drawText(score.characters, 0, length, left + 3 * density, base - 4 * density, text)
    }

    private fun paint(colour: Int) = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(colour) }

    private companion object {
        /** Narrower faces than this many dp carry no score. */
        const val LABEL_FROM = 28

        val POINT_COLOURS = intArrayOf(R.color.left_eye, R.color.right_eye, R.color.nose, R.color.left_mouth, R.color.right_mouth)
    }
}

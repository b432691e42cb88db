package org.featherface.demo.ui

import org.featherface.demo.detector.Stage
import org.featherface.demo.detector.StageTimes

/** Running averages of where a frame's time goes. Not safe for two threads at once. */
class StageBudget {
    private val averages = DoubleArray(Stage.entries.size)
    private var drawAverage = 0.0
    private var intervalAverage = 0.0
    private var frames = 0
    private var draws = 0
    private var lastFrame = 0L

    /** Frames processed in a second; 0 before the second frame. */
    val fps: Double get() = if (intervalAverage > 0) 1e9 / intervalAverage else 0.0

    /** Milliseconds of drawing. */
    val draw: Double get() = drawAverage

    operator fun get(stage: Stage): Double = averages[stage.ordinal]

    /** Milliseconds of a whole frame, drawing included. */
    val total: Double get() = averages.sum() + drawAverage

    /**
     * Take in a processed frame.
     *
     * @param now nanoseconds of a monotonic clock
     */
    fun addFrame(
        times: StageTimes,
        now: Long,
    ) {
        for (index in averages.indices) averages[index] = mixed(averages[index], times.milliseconds[index], frames)
        if (frames > 0) intervalAverage = mixed(intervalAverage, (now - lastFrame).toDouble(), frames - 1)
        lastFrame = now
        frames++
    }

    /** Take in how many [milliseconds] the drawing of one frame took. */
    fun addDraw(milliseconds: Double) {
        drawAverage = mixed(drawAverage, milliseconds, draws++)
    }

    /** Forget everything, for another model or camera. */
    fun reset() {
        averages.fill(0.0)
        drawAverage = 0.0
        intervalAverage = 0.0
        frames = 0
        draws = 0
    }

    private fun mixed(
        average: Double,
        value: Double,
        before: Int,
    ) = average + (value - average) / minOf(before + 1, MEMORY)

    private companion object {
        /** About a second's worth of frames. */
        const val MEMORY = 20
    }
}

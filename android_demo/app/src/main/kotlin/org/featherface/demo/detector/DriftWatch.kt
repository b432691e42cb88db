package org.featherface.demo.detector

import kotlin.math.ln

/** In what pictures are unlike the calibration's. */
enum class Drift {
    /** The scores of all candidates are spread otherwise. */
    SCORES,

    /** The surest face of a picture is less sure. */
    SURENESS,

    /** More integers stand at the end of their range, where what is larger is cut off. */
    SATURATION,
}

/** Holds the last pictures' outputs against those on the calibration images. Not safe for two threads at once. */
class DriftWatch(
    private val calibration: CalibrationOutputs,
) {
    private val last = ArrayDeque<PictureOutputs>()

    /** Take in one more picture; the oldest of [WINDOW] is forgotten. */
    fun add(picture: PictureOutputs) {
        if (last.size == WINDOW) last.removeFirst()
        last.addLast(picture)
    }

    /** In what the last pictures are unlike the calibration's; nothing is said of fewer than [LEAST]. */
    fun drifts(): Set<Drift> {
        if (last.size < LEAST) return setOf()
        val possible = last.filter { it.surest > calibration.possibleFace }
        val unsure = possible.count { it.surest < calibration.surestLowerQuartile }
        val saturated = last.sumOf { it.saturatedShare } / last.size
        return buildSet {
            if (stability() > LARGEST_INDEX) add(Drift.SCORES)
            if (possible.size >= LEAST && unsure > MOST_UNSURE * possible.size) add(Drift.SURENESS)
            if (saturated > SATURATED_FLOOR + SATURATED_TIMES * calibration.saturatedShare) add(Drift.SATURATION)
        }
    }

    /**
     * The population stability index of the scores: sum of (p - q) ln(p / q) over the bins.
     *
     * Source: Siddiqi, Credit Risk Scorecards (2006), chapter 10.
     */
    internal fun stability(): Double {
        val counts = DoubleArray(calibration.scoreShares.size) { bin -> SMOOTHING + last.sumOf { it.scoreCounts[bin] } }
        val all = counts.sum()
        return counts.indices.sumOf { bin ->
            val (now, then) = counts[bin] / all to calibration.scoreShares[bin].coerceAtLeast(SMOOTHING / all)
            (now - then) * ln(now / then)
        }
    }

    companion object {
        /** So many pictures are looked at. */
        const val WINDOW = 32

        /** Of fewer pictures nothing is said. */
        const val LEAST = 16
        private const val SMOOTHING = 0.5

        /** From here on a shift is usually called significant. */
        private const val LARGEST_INDEX = 0.25

        /** Of pictures like the calibration's it is a quarter. */
        private const val MOST_UNSURE = 0.6
        private const val SATURATED_TIMES = 3
        private const val SATURATED_FLOOR = 0.01
    }
}

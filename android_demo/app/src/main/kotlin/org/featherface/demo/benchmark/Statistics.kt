package org.featherface.demo.benchmark

import org.json.JSONObject
import kotlin.math.ceil
import kotlin.math.sqrt

/** A growing list of numbers without boxing. */
class Samples {
    private var values = DoubleArray(1024)
    var size = 0
        private set

    fun add(value: Double) {
        if (size == values.size) values = values.copyOf(2 * size)
        values[size++] = value
    }

    operator fun get(index: Int): Double = values[index]

    fun toList(): List<Double> = List(size) { values[it] }
}

/** Summaries of measured times. */
object Statistics {
    /** Percentile [percent] of ascending [sorted] by the nearest rank: a value that was really measured. */
    fun percentile(
        sorted: List<Double>,
        percent: Int,
    ): Double = sorted[(ceil(percent / 100.0 * sorted.size).toInt() - 1).coerceIn(0, sorted.size - 1)]

    /** Mean, standard deviation, extremes and percentiles of at least one value. */
    fun of(values: List<Double>): JSONObject {
        val sorted = values.sorted()
        val mean = values.average()
        val variance = values.sumOf { (it - mean) * (it - mean) } / values.size
        return JSONObject()
            .put("mean", mean)
            .put("std", sqrt(variance))
            .put("min", sorted.first())
            .put("p50", percentile(sorted, 50))
            .put("p90", percentile(sorted, 90))
            .put("p99", percentile(sorted, 99))
            .put("max", sorted.last())
    }
}

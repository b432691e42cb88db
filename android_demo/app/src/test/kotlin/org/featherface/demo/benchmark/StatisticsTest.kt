package org.featherface.demo.benchmark

import org.junit.Assert.assertEquals
import org.junit.Test

class StatisticsTest {
    @Test
    fun oneValue() {
        val found = Statistics.of(listOf(3.0))
        for (name in listOf("mean", "min", "p50", "p90", "p99", "max")) assertEquals(3.0, found.getDouble(name), 0.0)
        assertEquals(0.0, found.getDouble("std"), 0.0)
    }

    @Test
    fun percentilesAreMeasuredValues() {
        val found = Statistics.of((100 downTo 1).map { it.toDouble() })
        assertEquals(50.0, found.getDouble("p50"), 0.0)
        assertEquals(90.0, found.getDouble("p90"), 0.0)
        assertEquals(99.0, found.getDouble("p99"), 0.0)
        assertEquals(50.5, found.getDouble("mean"), 1e-12)
        assertEquals(28.866070047722118, found.getDouble("std"), 1e-9)
    }
}

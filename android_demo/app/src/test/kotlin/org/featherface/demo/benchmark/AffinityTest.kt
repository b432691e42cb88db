package org.featherface.demo.benchmark

import org.featherface.demo.detector.DetectorException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import kotlin.concurrent.thread

/** The kernel of this computer stands for a phone's: the call is the same. */
class AffinityTest {
    @Test
    fun aThreadAndItsChildrenStayOnTheirProcessors() {
        val before = allowed()
        var bound = ""
        var inherited = ""
        thread {
            Affinity.bind(listOf(0))
            bound = allowed()
            thread { inherited = allowed() }.join()
        }.join()
        assertEquals("0", bound)
        assertEquals("0", inherited)
        assertEquals("the caller's own thread is free", before, allowed())
        if (Runtime.getRuntime().availableProcessors() > 1) assertNotEquals("0", before)
    }

    @Test
    fun processorsThatAreNotThereAreRefusedInOneLine() {
        val error = assertThrows(DetectorException::class.java) { Affinity.bind(listOf(63)) }
        assertTrue(error.message, error.message.orEmpty().contains("does not let the app run on [63] alone"))
    }

    private fun allowed() =
        File("/proc/thread-self/status")
            .readLines()
            .first { it.startsWith("Cpus_allowed_list:") }
            .substringAfter(":")
            .trim()
}

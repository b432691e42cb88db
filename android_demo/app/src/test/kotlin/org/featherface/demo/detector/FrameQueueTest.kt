package org.featherface.demo.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Test
import java.nio.ByteBuffer
import java.util.concurrent.atomic.AtomicReference
import kotlin.concurrent.thread

class FrameQueueTest {
    private val queue = FrameQueue(InputFrame(ByteBuffer.allocate(1)), InputFrame(ByteBuffer.allocate(1)))

    @Test
    fun withoutAFrameThereIsNothingToSearch() = assertNull(queue.toSearch())

    @Test
    fun theFrameThatIsSearchedIsNeverWritten() {
        val first = queue.toWrite().also(queue::written)
        assertSame(first, queue.toSearch())
        repeat(3) { assertNotSame(first, queue.toWrite().also(queue::written)) }
        assertEquals("the newest counts", 2, queue.dropped)
        queue.done()
        assertNotSame(first, queue.toSearch())
    }

    @Test
    fun twoThreadsNeverMeetInAFrame() {
        val writing = AtomicReference<InputFrame>()
        val searching = AtomicReference<InputFrame>()
        val trouble = AtomicReference<String>()
        val writer =
            thread {
                repeat(ROUNDS) {
                    val frame = queue.toWrite()
                    writing.set(frame)
                    if (searching.get() === frame) trouble.set("written while it was searched")
                    writing.set(null)
                    queue.written(frame)
                }
            }
        var last = 0
        while (writer.isAlive) {
            val frame = queue.toSearch() ?: continue
            searching.set(frame)
            if (writing.get() === frame) trouble.set("searched while it was written")
            searching.set(null)
            queue.done()
            last++
        }
        assertNull(trouble.get())
    }

    private companion object {
        const val ROUNDS = 200_000
    }
}

package org.featherface.demo.detector

/**
 * Hands camera frames from the thread that writes them to the thread that finds faces in them: while one frame is searched
 * the next is written, and a newer one takes the place of one that still waits.
 */
class FrameQueue(
    private val first: InputFrame,
    private val second: InputFrame,
) {
    private var waiting: InputFrame? = null
    private var searched: InputFrame? = null

    /** Frames that a newer one has replaced before they were searched. */
    var dropped = 0L
        private set

    /** The frame to write to next; one that waited is given up. */
    @Synchronized
    fun toWrite(): InputFrame {
        if (waiting != null) dropped++
        waiting = null
        return if (searched === first) second else first
    }

    /** [frame] is written. */
    @Synchronized
    fun written(frame: InputFrame) {
        waiting = frame
    }

    /** The newest written frame, or null if there is none; to be given back by [done]. */
    @Synchronized
    fun toSearch(): InputFrame? {
        searched = waiting
        waiting = null
        return searched
    }

    /** The frame that [toSearch] gave is free again. */
    @Synchronized
    fun done() {
        searched = null
    }
}

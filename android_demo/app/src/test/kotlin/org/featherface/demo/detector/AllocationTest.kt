package org.featherface.demo.detector

import com.sun.management.ThreadMXBean
import org.junit.Assert.assertTrue
import org.junit.Test
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer

/** A frame in steady state allocates nothing, from the camera's bytes to the faces. */
class AllocationTest {
    private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

    @Test
    fun aFrameAllocatesNothing() {
        for (name in Golden.names()) {
            val golden = Golden(name)
            val pipeline = DetectionPipeline(Fixed(golden))
            val copied = yuvOf(gradient(64, 48), planar = false, padding = 0)
            assertNothing("$name in Kotlin") { pipeline.detect(copied) }
            val direct = inPlace(yuvOf(gradient(64, 48), planar = false, padding = 0))
            assertNothing("$name in C") {
                val free = pipeline.frames.toWrite()
                pipeline.write(direct, free)
                pipeline.frames.written(free)
                pipeline.find(checkNotNull(pipeline.frames.toSearch()))
                pipeline.frames.done()
            }
        }
    }

    private fun assertNothing(
        name: String,
        detect: () -> Unit,
    ) {
        repeat(WARMUP) { detect() }
        val before = threads.getThreadAllocatedBytes(Thread.currentThread().id)
        repeat(FRAMES) { detect() }
        val bytes = threads.getThreadAllocatedBytes(Thread.currentThread().id) - before
        // The smallest object has 16 bytes: less than that a frame is the JVM's own housekeeping, now and then.
        assertTrue("$name: $bytes bytes in $FRAMES frames", bytes < 8 * FRAMES)
    }

    private fun inPlace(frame: YuvImage): YuvImage {
        for ((index, plane) in listOf(frame.luma, frame.blue, frame.red).withIndex()) {
            frame.planes[index] = ByteBuffer.allocateDirect(plane.size).apply { put(plane).clear() }
        }
        return frame
    }

    private class Fixed(
        private val golden: Golden,
    ) : FaceDetector {
        override val spec = golden.spec
        override val input = TensorInfo("input", ElementType.FLOAT32, listOf(1, spec.inputHeight, spec.inputWidth, 3), 0f, 0)
        override val outputs = golden.outputs.all.map { it.info }
        override val inputBuffer: ByteBuffer = input.allocate()

        override fun infer(image: ByteBuffer) = golden.outputs

        override fun close() = Unit
    }

    private companion object {
        const val WARMUP = 30
        const val FRAMES = 200
    }
}

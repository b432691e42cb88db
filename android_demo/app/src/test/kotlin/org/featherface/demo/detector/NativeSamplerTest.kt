package org.featherface.demo.detector

import org.featherface.demo.NativeLibrary
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import java.util.Random

/**
 * The C library, built for this computer, against the loop in Kotlin: the same bytes.
 *
 * What it does with vectors on ARM is held against its own plain loop by `tests/android_demo/test_native.py`.
 */
class NativeSamplerTest {
    private val random = Random(7)

    @Test
    fun theLibraryIsThere() = assertTrue(NativeLibrary.isAvailable)

    @Test
    fun everyLayoutGivesTheSameBytes() {
        repeat(LAYOUTS) { number ->
            val spec = specOf(32 * (1 + random.nextInt(8)), 32 * (1 + random.nextInt(8)))
            val usual = listOf(640 to 480, 1280 to 720, 720 to 480, 2 * spec.inputWidth to 2)
            val (width, height) = if (number % 4 == 0) usual[random.nextInt(4)] else 1 + random.nextInt(300) to 1 + random.nextInt(300)
            val frame =
                frameOf(
                    width,
                    height,
                    Rotation.entries[random.nextInt(4)],
                    1 + random.nextInt(2),
                    random.nextInt(2) * random.nextInt(40),
                )
            val type = ElementType.entries[number % 3]
            val description = "$width x $height ${frame.rotation} to ${spec.inputWidth} x ${spec.inputHeight} $type"
            assertSame(description, spec, type, frame)
        }
    }

    @Test
    fun oneWriterTakesFramesOfChangingLayouts() {
        val spec = specOf(64, 64)
        val writer = InputWriter(spec, ElementType.UINT8)
        for ((width, height) in listOf(64 to 48, 48 to 64, 200 to 30, 64 to 48)) {
            for (rotation in Rotation.entries) {
                val frame = frameOf(width, height, rotation, 2, 5)
                val found = bytes(spec, ElementType.UINT8) { writer.write(frame, it) }
                assertTrue(writer.wasNative)
                assertArrayEquals(expected(spec, ElementType.UINT8, frame), found)
            }
        }
    }

    @Test
    fun aPlaneThatIsTooSmallIsRefusedInOneLine() {
        val spec = specOf(32, 32)
        for (number in 0..2) {
            val frame = frameOf(40, 30, Rotation.NONE, 1, 0)
            frame.planes[number] = ByteBuffer.allocateDirect(100)
            val writer = InputWriter(spec, ElementType.UINT8)
            val error = assertThrows(DetectorException::class.java) { bytes(spec, ElementType.UINT8) { writer.write(frame, it) } }
            assertTrue(error.message, error.message.orEmpty().contains("40 x 30 came with planes of"))
        }
    }

    @Test
    fun framesInTheHeapGoThroughKotlin() {
        val spec = specOf(32, 32)
        val writer = InputWriter(spec, ElementType.UINT8)
        val frame = frameOf(40, 30, Rotation.NONE, 1, 0)
        val expected = expected(spec, ElementType.UINT8, frame)
        frame.copyPlanes()
        frame.planes.fill(null)
        assertArrayEquals(expected, bytes(spec, ElementType.UINT8) { writer.write(frame, it) })
        assertFalse(writer.wasNative)
    }

    private fun assertSame(
        description: String,
        spec: DetectorSpec,
        type: ElementType,
        frame: YuvImage,
    ) {
        val writer = InputWriter(spec, type)
        val found = bytes(spec, type) { writer.write(frame, it) }
        assertTrue(description, writer.wasNative)
        assertArrayEquals(description, expected(spec, type, frame), found)
    }

    private fun expected(
        spec: DetectorSpec,
        type: ElementType,
        frame: YuvImage,
    ): ByteArray {
        val writer = InputWriter(spec, type, isNative = false)
        val bytes = bytes(spec, type) { writer.write(frame, it) }
        assertEquals(false, writer.wasNative)
        return bytes
    }

    private fun bytes(
        spec: DetectorSpec,
        type: ElementType,
        write: (ByteBuffer) -> Unit,
    ): ByteArray {
        val buffer = TensorInfo("input", type, listOf(1, spec.inputHeight, spec.inputWidth, 3), 1f, 0).allocate()
        write(buffer)
        buffer.clear()
        return ByteArray(buffer.capacity()).also { buffer.get(it) }
    }

    /** Noise, in direct memory that ends with the last pixel, as phones deliver it. */
    private fun frameOf(
        width: Int,
        height: Int,
        rotation: Rotation,
        step: Int,
        padding: Int,
    ): YuvImage {
        val frame = YuvImage()
        frame.width = width
        frame.height = height
        frame.rotation = rotation
        frame.lumaRowStride = width + padding
        frame.chromaPixelStride = step
        frame.chromaRowStride = (width + 1) / 2 * step + padding
        frame.planes[0] = noise(frame.lumaRowStride * (height - 1) + width)
        val chroma = frame.chromaRowStride * ((height + 1) / 2 - 1) + ((width + 1) / 2 - 1) * step + 1
        frame.planes[1] = noise(chroma)
        frame.planes[2] = noise(chroma)
        return frame
    }

    private fun noise(size: Int): ByteBuffer {
        val bytes = ByteArray(size).also(random::nextBytes)
        return ByteBuffer.allocateDirect(size).apply { put(bytes).clear() }
    }

    private companion object {
        const val LAYOUTS = 200
    }
}

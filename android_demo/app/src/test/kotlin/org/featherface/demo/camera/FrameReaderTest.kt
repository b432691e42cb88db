package org.featherface.demo.camera

import android.graphics.ImageFormat
import android.media.Image
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.ElementType
import org.featherface.demo.detector.InputWriter
import org.featherface.demo.detector.Rotation
import org.featherface.demo.detector.TensorInfo
import org.featherface.demo.detector.YuvImage
import org.featherface.demo.detector.gradient
import org.featherface.demo.detector.specOf
import org.featherface.demo.detector.stored
import org.featherface.demo.detector.yuvOf
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import kotlin.math.abs

/** What phones deliver as YUV_420_888: planar or interleaved, padded or not, the last row cut short. */
class FrameReaderTest {
    private val spec = specOf(64, 64)
    private val picture = gradient(48, 64)

    @Test
    fun everyLayoutGivesTheSamePicture() {
        val expected = write(picture)
        for (rotation in Rotation.entries) {
            for (planar in listOf(true, false)) {
                for ((padding, isDirect) in listOf(0 to false, 16 to false, 0 to true, 16 to true)) {
                    val image = FakeImage(yuvOf(stored(picture, rotation), planar, padding), isDirect)
                    val frame = FrameReader().read(image, rotation)
                    val found = write(frame)
                    val worst = found.indices.maxOf { abs((found[it].toInt() and 0xff) - (expected[it].toInt() and 0xff)) }
                    assertTrue("$rotation, planar $planar, padding $padding: off by $worst", worst <= 8)
                }
            }
        }
    }

    @Test
    fun whatLiesInDirectMemoryIsNotCopied() {
        val reader = FrameReader()
        val image = FakeImage(yuvOf(picture, planar = false, padding = 0), isDirect = true)
        val first = reader.read(image, Rotation.NONE)
        assertSame(image.planes[0].buffer, first.planes[0])
        assertEquals(0, first.luma.size)
        val second = reader.read(FakeImage(yuvOf(picture, planar = false, padding = 0)), Rotation.HALF)
        assertSame(first, second)
        assertNull("what the heap holds is copied", second.planes[0])
        assertEquals(Rotation.HALF, second.rotation)
    }

    private fun write(image: ArgbImage) = bytes { InputWriter(spec, ElementType.UINT8).write(image, it) }

    private fun write(image: YuvImage) = bytes { InputWriter(spec, ElementType.UINT8).write(image, it) }

    private fun bytes(write: (ByteBuffer) -> Unit): ByteArray {
        val buffer = TensorInfo("input", ElementType.UINT8, listOf(1, 64, 64, 3), 1f, 0).allocate()
        write(buffer)
        return ByteArray(buffer.capacity()).also { buffer.get(it) }
    }

    private class FakeImage(
        private val frame: YuvImage,
        private val isDirect: Boolean = false,
    ) : Image() {
        private val made by lazy { makePlanes() }

        override fun getFormat() = ImageFormat.YUV_420_888

        override fun getWidth() = frame.width

        override fun getHeight() = frame.height

        override fun getTimestamp() = 0L

        override fun getTransform() = 0

        override fun getScalingMode() = 0

        override fun getPlanes(): Array<Plane> = made

        private fun makePlanes(): Array<Plane> {
            // As phones do: the last row ends with its last pixel, without the padding.
            val lumaLength = frame.lumaRowStride * (frame.height - 1) + frame.width
            val chromaWidth = (frame.width + 1) / 2
            val chromaLength = frame.chromaRowStride * ((frame.height + 1) / 2 - 1) + (chromaWidth - 1) * frame.chromaPixelStride + 1
            return arrayOf(
                FakePlane(frame.luma, lumaLength, frame.lumaRowStride, 1, isDirect),
                FakePlane(frame.blue, chromaLength, frame.chromaRowStride, frame.chromaPixelStride, isDirect),
                FakePlane(frame.red, chromaLength, frame.chromaRowStride, frame.chromaPixelStride, isDirect),
            )
        }

        override fun close() = Unit
    }

    private class FakePlane(
        content: ByteArray,
        length: Int,
        private val row: Int,
        private val pixel: Int,
        isDirect: Boolean,
    ) : Image.Plane() {
        private val bytes: ByteBuffer =
            if (isDirect) {
                ByteBuffer.allocateDirect(length).apply { put(content, 0, length).clear() }
            } else {
                ByteBuffer.wrap(content, 0, length)
            }

        override fun getRowStride() = row

        override fun getPixelStride() = pixel

        override fun getBuffer(): ByteBuffer = bytes
    }
}

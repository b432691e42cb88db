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
                for (padding in listOf(0, 16)) {
                    val frame = FrameReader().read(FakeImage(yuvOf(stored(picture, rotation), planar, padding)), rotation)
                    val found = write(frame)
                    val worst = found.indices.maxOf { abs((found[it].toInt() and 0xff) - (expected[it].toInt() and 0xff)) }
                    assertTrue("$rotation, planar $planar, padding $padding: off by $worst", worst <= 8)
                }
            }
        }
    }

    @Test
    fun theNextFrameReusesTheMemoryOfTheLast() {
        val reader = FrameReader()
        val first = reader.read(FakeImage(yuvOf(picture, planar = false, padding = 0)), Rotation.NONE)
        val luma = first.luma
        val second = reader.read(FakeImage(yuvOf(picture, planar = false, padding = 0)), Rotation.HALF)
        assertSame(first, second)
        assertSame(luma, second.luma)
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
    ) : Image() {
        override fun getFormat() = ImageFormat.YUV_420_888

        override fun getWidth() = frame.width

        override fun getHeight() = frame.height

        override fun getTimestamp() = 0L

        override fun getTransform() = 0

        override fun getScalingMode() = 0

        override fun getPlanes(): Array<Plane> {
            // As phones do: the last row ends with its last pixel, without the padding.
            val lumaLength = frame.lumaRowStride * (frame.height - 1) + frame.width
            val chromaWidth = (frame.width + 1) / 2
            val chromaLength = frame.chromaRowStride * ((frame.height + 1) / 2 - 1) + (chromaWidth - 1) * frame.chromaPixelStride + 1
            return arrayOf(
                FakePlane(frame.luma, lumaLength, frame.lumaRowStride, 1),
                FakePlane(frame.blue, chromaLength, frame.chromaRowStride, frame.chromaPixelStride),
                FakePlane(frame.red, chromaLength, frame.chromaRowStride, frame.chromaPixelStride),
            )
        }

        override fun close() = Unit
    }

    private class FakePlane(
        private val content: ByteArray,
        private val length: Int,
        private val row: Int,
        private val pixel: Int,
    ) : Image.Plane() {
        override fun getRowStride() = row

        override fun getPixelStride() = pixel

        override fun getBuffer(): ByteBuffer = ByteBuffer.wrap(content, 0, length)
    }
}

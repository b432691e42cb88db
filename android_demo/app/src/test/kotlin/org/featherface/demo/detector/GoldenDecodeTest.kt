package org.featherface.demo.detector

import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized
import java.nio.ByteBuffer

/** Decoder, suppression and the way back from the letterbox give Python's faces on real networks' raw outputs. */
@RunWith(Parameterized::class)
class GoldenDecodeTest(
    private val name: String,
) {
    private val golden = Golden(name)

    @Test
    fun sameFacesInPixelsOfTheInput() {
        val fitted = ArgbImage(IntArray(golden.spec.inputWidth * golden.spec.inputHeight), golden.spec.inputWidth, golden.spec.inputHeight)
        Golden.assertSame(golden.inputPixels, pipeline().detect(fitted))
    }

    @Test
    fun sameFacesInPixelsOfTheImage() {
        val image = ArgbImage(IntArray(golden.imageWidth * golden.imageHeight), golden.imageWidth, golden.imageHeight)
        Golden.assertSame(golden.imagePixels, pipeline().detect(image))
    }

    @Test
    fun aSecondImageDoesNotSeeTheFirst() {
        val pipeline = pipeline()
        val image = ArgbImage(IntArray(golden.imageWidth * golden.imageHeight), golden.imageWidth, golden.imageHeight)
        pipeline.detect(image, 0f)
        Golden.assertSame(golden.imagePixels, pipeline.detect(image))
    }

    private fun pipeline() = DetectionPipeline(Replay(golden))

    /** Answers every image with the golden's raw outputs. */
    private class Replay(
        private val golden: Golden,
    ) : FaceDetector {
        override val spec = golden.spec
        override val input = TensorInfo("input", ElementType.UINT8, listOf(1, spec.inputHeight, spec.inputWidth, 3), 1f, 0)
        override val outputs = golden.outputs.all.map { it.info }
        override val inputBuffer: ByteBuffer = input.allocate()

        override fun infer(image: ByteBuffer) = golden.outputs

        override fun close() = Unit
    }

    companion object {
        @JvmStatic
        @Parameterized.Parameters(name = "{0}")
        fun cases(): List<String> = Golden.names().also { assertTrue("no golden files in ${Golden.folder}", it.size >= 4) }
    }
}

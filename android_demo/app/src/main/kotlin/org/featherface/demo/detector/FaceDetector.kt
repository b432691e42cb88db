package org.featherface.demo.detector

import java.nio.ByteBuffer

/**
 * A loaded network. The implementation is the only class that knows the inference runtime.
 *
 * Not safe for two threads at once; use and close it on one thread (a GPU delegate insists on it).
 */
interface FaceDetector : AutoCloseable {
    /** Everything needed to feed the network and to read its outputs. */
    val spec: DetectorSpec

    /** The input: `[1, H, W, 3]`, RGB 0..255. */
    val input: TensorInfo

    /** The file's outputs, in its order; what they mean, [spec] says. */
    val outputs: List<TensorInfo>

    /** A buffer for an image; others come from [input]. Native byte order. */
    val inputBuffer: ByteBuffer

    /**
     * Run the network on the image in [image], which is [inputBuffer] or another direct buffer of its size.
     *
     * @return outputs that the next call overwrites
     * @throws DetectorException the runtime failed
     */
    fun infer(image: ByteBuffer = inputBuffer): RawOutputs

    /** What the delegate took over; null where the runtime does not tell. */
    fun operators(): OperatorCount? = null
}

/** How many operators a model has, and into how many steps (operators left over and delegate's parts) they went. */
data class OperatorCount(
    val inFile: Int,
    val afterDelegate: Int,
)

/** Checks that a model's tensors are what its spec says. */
object Signature {
    /** @throws DetectorException the input is not what [spec] says */
    fun checkInput(
        spec: DetectorSpec,
        input: TensorInfo,
    ) {
        val expected = listOf(1, spec.inputHeight, spec.inputWidth, 3)
        if (input.shape != expected) throw DetectorException("input: the spec expects $expected, found ${input.shape}")
        val zeroPoint = mapOf(ElementType.UINT8 to 0, ElementType.INT8 to -128)[input.type]
        if (input.type != ElementType.FLOAT32 && (input.scale != 1f || input.zeroPoint != zeroPoint)) {
            throw DetectorException(
                "input: expected float32, or uint8 or int8 of scale 1 and zero point 0 or -128, " +
                    "found ${input.type.label} of scale ${input.scale} and zero point ${input.zeroPoint}",
            )
        }
    }

    /** @throws DetectorException boxes, scores or landmarks have another shape than [spec] says */
    fun checkOutputs(
        spec: DetectorSpec,
        outputs: RawOutputs,
    ) {
        if (outputs.shapes != spec.outputShapes) {
            throw DetectorException("outputs ${spec.outputNames}: the spec expects ${spec.outputShapes}, found ${outputs.shapes}")
        }
    }
}

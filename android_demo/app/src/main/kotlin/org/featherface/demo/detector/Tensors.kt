package org.featherface.demo.detector

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The element types that a deployed detector uses. */
enum class ElementType(
    val bytes: Int,
) {
    UINT8(1),
    INT8(1),
    FLOAT32(4),
    ;

    /** The name used in reports and messages. */
    val label: String get() = name.lowercase()
}

/**
 * What one tensor of a model looks like.
 *
 * @property shape for example `[1, 320, 320, 3]`
 * @property scale real value = ([zeroPoint] taken from the stored value) times [scale]; unused for float tensors
 */
data class TensorInfo(
    val name: String,
    val type: ElementType,
    val shape: List<Int>,
    val scale: Float,
    val zeroPoint: Int,
) {
    /** Number of elements. */
    val size: Int get() = shape.fold(1, Int::times)

    /** A direct buffer of native byte order that holds the tensor. */
    fun allocate(): ByteBuffer = ByteBuffer.allocateDirect(size * type.bytes).order(ByteOrder.nativeOrder())
}

/** One output of the network as it left the runtime; [bytes] is overwritten by the next inference. */
class RawTensor(
    val info: TensorInfo,
    val bytes: ByteBuffer,
) {
    private val isFloat = info.type == ElementType.FLOAT32
    private val size = info.size

    /** Element [index] as a real number: dequantized exactly as `(stored - zeroPoint) * scale` in float32. */
    operator fun get(index: Int): Float =
        when (info.type) {
            ElementType.FLOAT32 -> bytes.getFloat(4 * index)
            ElementType.INT8 -> (bytes.get(index) - info.zeroPoint) * info.scale
            ElementType.UINT8 -> ((bytes.get(index).toInt() and 0xff) - info.zeroPoint) * info.scale
        }

    /** Whether every element is a finite number; integers always are. */
    fun isFinite(): Boolean {
        if (!isFloat) return true
        for (index in 0 until size) if (!bytes.getFloat(4 * index).isFinite()) return false
        return true
    }
}

/** The three outputs for one image: offsets `[1, N, 4]`, probabilities `[1, N, 1 or 2]`, offsets `[1, N, 10]`. */
class RawOutputs(
    val boxes: RawTensor,
    val scores: RawTensor,
    val landmarks: RawTensor,
) {
    /** Boxes, scores, landmarks. */
    val all: List<RawTensor> = listOf(boxes, scores, landmarks)
}

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
    /** Element [index] as a real number: dequantized exactly as `(stored - zeroPoint) * scale` in float32. */
    operator fun get(index: Int): Float =
        when (info.type) {
            ElementType.FLOAT32 -> bytes.getFloat(4 * index)
            ElementType.INT8 -> (bytes.get(index) - info.zeroPoint) * info.scale
            ElementType.UINT8 -> ((bytes.get(index).toInt() and 0xff) - info.zeroPoint) * info.scale
        }
}

/**
 * A file's outputs for one image, and what they mean.
 *
 * @property all the file's outputs, in its order
 * @property names what the spec calls them
 */
class RawOutputs private constructor(
    val all: List<RawTensor>,
    val names: List<String>,
    val boxes: Rows,
    val scores: Rows,
    val landmarks: Rows,
) {
    /** Shapes of boxes, scores and landmarks, as [DetectorSpec.outputShapes]. */
    val shapes: List<List<Int>> get() = listOf(boxes, scores, landmarks).map { listOf(1, it.count, it.channels) }

    companion object {
        /**
         * Read a file's outputs as [spec] says; where it names no parts, their order says what they are.
         *
         * @throws DetectorException an output is missing, or parts that belong together have different shapes
         *
         * Source: `model/geometry/outputs.py`.
         */
        fun of(
            spec: DetectorSpec,
            all: List<RawTensor>,
        ): RawOutputs {
            val names = if (spec.namesParts) all.map { it.info.name } else spec.outputNames.take(all.size)
            if (names.size != all.size) throw DetectorException("the spec expects outputs $names, the file has ${all.size}")
            val byName = names.zip(all).toMap()
            val (boxes, ownScores) =
                listOf(spec.boxesFrom to 0, spec.scoresFrom to 1).map { (parts, at) ->
                    stacked(parts, spec.outputNames[at], byName)
                }
            val scores = if (spec.objectnessFrom.isEmpty()) ownScores else besides(stacked(spec.objectnessFrom, "", byName), ownScores)
            val landmarks = if (spec.points > 0) stacked(spec.landmarksFrom, spec.outputNames[2], byName) else EmptyRows(boxes.count)
            return RawOutputs(all, names, boxes, scores, landmarks)
        }

        private fun stacked(
            parts: List<String>,
            name: String,
            outputs: Map<String, RawTensor>,
        ): Rows {
            val rows = parts.ifEmpty { listOf(name) }.map { OutputPart.read(it).rows(outputs) }
            val channels = rows.map { it.channels }
            if (channels.toSet().size > 1) throw DetectorException("outputs $parts differ in channels: $channels")
            return rows.singleOrNull() ?: StackedRows(rows.toTypedArray())
        }

        private fun besides(
            objectness: Rows,
            scores: Rows,
        ): Rows {
            if (objectness.count != scores.count) {
                throw DetectorException("${objectness.count} rows of objectness but ${scores.count} of scores")
            }
            return JoinedRows(objectness, scores)
        }
    }
}

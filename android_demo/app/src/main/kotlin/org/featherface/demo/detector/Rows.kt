package org.featherface.demo.detector

import kotlin.math.exp

/** Boxes, scores or landmarks as a decoder reads them, `[count, channels]`, whatever the file calls and however it cuts them. */
interface Rows {
    val count: Int
    val channels: Int

    /** A real number. */
    operator fun get(
        row: Int,
        channel: Int,
    ): Float

    /** Whether every element is a finite number; integers always are. */
    fun isFinite(): Boolean
}

/**
 * Some channels of one output.
 *
 * @param rowStep elements from one row to the next, as [channelStep]
 */
internal class OutputRows(
    private val tensor: RawTensor,
    override val count: Int,
    override val channels: Int,
    private val start: Int,
    private val rowStep: Int,
    private val channelStep: Int,
) : Rows {
    override fun get(
        row: Int,
        channel: Int,
    ) = tensor[start + row * rowStep + channel * channelStep]

    override fun isFinite(): Boolean {
        if (tensor.info.type != ElementType.FLOAT32) return true
        for (row in 0 until count) for (channel in 0 until channels) if (!get(row, channel).isFinite()) return false
        return true
    }
}

/** Probabilities of the logits in [logits]. */
internal class SquashedRows(
    private val logits: Rows,
) : Rows by logits {
    override fun get(
        row: Int,
        channel: Int,
    ): Float {
        val logit = logits[row, channel].toDouble().coerceIn(-LARGEST_LOGIT, LARGEST_LOGIT)
        return (1 / (1 + exp(-logit))).toFloat()
    }

    private companion object {
        /** Its sigmoid is 1 in single precision. */
        const val LARGEST_LOGIT = 80.0
    }
}

/** The rows of several outputs, one below the other. */
internal class StackedRows(
    private val parts: Array<Rows>,
) : Rows {
    override val count = parts.sumOf { it.count }
    override val channels = parts.first().channels

    override fun get(
        row: Int,
        channel: Int,
    ): Float {
        var number = 0
        var left = row
        while (left >= parts[number].count) left -= parts[number++].count
        return parts[number][left, channel]
    }

    override fun isFinite(): Boolean {
        for (part in parts) if (!part.isFinite()) return false
        return true
    }
}

/** Two groups of channels side by side. */
internal class JoinedRows(
    private val left: Rows,
    private val right: Rows,
) : Rows {
    override val count = right.count
    override val channels = left.channels + right.channels

    override fun get(
        row: Int,
        channel: Int,
    ) = if (channel < left.channels) left[row, channel] else right[row, channel - left.channels]

    override fun isFinite() = left.isFinite() && right.isFinite()
}

/** No channels at all: the landmarks of a detector without any. */
internal class EmptyRows(
    override val count: Int,
) : Rows {
    override val channels = 0

    override fun get(
        row: Int,
        channel: Int,
    ): Float = throw IndexOutOfBoundsException("row $row, channel $channel of none")

    override fun isFinite() = true
}

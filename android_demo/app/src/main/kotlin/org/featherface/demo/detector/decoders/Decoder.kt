package org.featherface.demo.detector.decoders

import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.Rows

/** Largest exponent of a decoded size: e^8 times the anchor is larger than any image, and finite. */
const val MAX_LOG_SIZE = 8f

/**
 * One way of coding boxes: a file each in this folder, as in `model/geometry/decoders`, whose arithmetic it repeats in float32.
 *
 * A candidate is a row of the outputs: an anchor, a cell of a level.
 */
interface Decoder {
    /** Probability of a face: the only channel, or the last behind the background's. */
    fun score(
        scores: Rows,
        candidate: Int,
    ): Float = scores[candidate, scores.channels - 1]

    /** Write a candidate's box into [target] from [at] on: x_min, y_min, x_max, y_max in pixels of the network's input. */
    fun decodeBox(
        rows: Rows,
        candidate: Int,
        target: FloatArray,
        at: Int,
    )

    /**
     * Write a candidate's landmarks into [target] from [at] on: x and y of each, in pixels of the network's input.
     *
     * @param boxes holds the candidate's decoded box from [boxAt] on
     */
    fun decodeLandmarks(
        rows: Rows,
        candidate: Int,
        boxes: FloatArray,
        boxAt: Int,
        target: FloatArray,
        at: Int,
    )
}

/**
 * A decoder as a spec names it.
 *
 * @property variants what may stand behind the colon; the first is meant where nothing does
 * @property make the decoder of a spec, in one of the variants
 */
class DecoderKind(
    val variants: List<String>,
    val make: (spec: DetectorSpec, variant: String) -> Decoder,
)

/** The decoders that there are. */
object Decoders {
    private val kinds =
        mapOf(
            "anchor_offsets" to AnchorOffsets.KIND,
            "boxes" to Boxes.KIND,
            "cell_distances" to CellDistances.KIND,
            "cell_sizes" to CellSizes.KIND,
            "heatmap" to Heatmap.KIND,
        )

    /** Refuse a spec's `decoder` that is none of these: it would show boxes, and wrong ones. */
    fun require(decoder: String) {
        val name = decoder.substringBefore(':')
        val kind = kinds[name] ?: throw DetectorException("detector spec: this app decodes ${kinds.keys}, the model wants $name")
        val variant = decoder.substringAfter(':', "")
        if (variant.isNotEmpty() && variant !in kind.variants) {
            throw DetectorException("detector spec: decoder $name has no variant $variant, expected one of ${kind.variants}")
        }
    }

    /** The decoder that [spec] names. */
    fun of(spec: DetectorSpec): Decoder {
        val kind = kinds.getValue(spec.decoder.substringBefore(':'))
        val variant = spec.decoder.substringAfter(':', "").ifEmpty { kind.variants.first() }
        return kind.make(spec, variant)
    }
}

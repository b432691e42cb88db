package org.featherface.demo.detector

import org.featherface.demo.detector.decoders.Decoder

/**
 * One picture's outputs in three figures, as [CalibrationOutputs] has them of many.
 *
 * @property scoreCounts candidates in each bin of the scores
 * @property surest the greatest score
 *
 * Source: `quantize/apply/output_statistics.py`.
 */
class PictureOutputs(
    val scoreCounts: IntArray,
    val surest: Float,
    val saturatedShare: Double,
) {
    companion object {
        /** Count [outputs], whose scores [decoder] reads, in the bins between [edges]. */
        fun of(
            outputs: RawOutputs,
            decoder: Decoder,
            edges: FloatArray,
        ): PictureOutputs {
            val counts = IntArray(edges.size + 1)
            var surest = 0f
            for (candidate in 0 until outputs.scores.count) {
                val score = decoder.score(outputs.scores, candidate)
                counts[edges.count { it <= score }]++
                surest = maxOf(surest, score)
            }
            return PictureOutputs(counts, surest, outputs.all.sumOf(::saturatedIn).toDouble() / outputs.all.sumOf { it.info.size })
        }

        private fun saturatedIn(tensor: RawTensor): Int {
            val ends =
                when (tensor.info.type) {
                    ElementType.INT8 -> listOf(Byte.MIN_VALUE, Byte.MAX_VALUE)
                    ElementType.UINT8 -> listOf<Byte>(0, -1)
                    ElementType.FLOAT32 -> return 0
                }
            return (0 until tensor.info.size).count { tensor.bytes.get(it) in ends }
        }
    }
}

package org.featherface.demo.detector

/**
 * An output, or some channels of one, as the spec's `*_from` fields write it: `NAME`, `NAME.T`, `NAME[4:6]`, `NAME.T[4:6]`, each alone
 * or within `sigmoid(...)`.
 *
 * @property isTurned whether channels stand before cells: `[1, C, N]` or `[1, C, H, W]`
 * @property selected the channels; null for all
 * @property isLogits whether the file leaves the sigmoid to whoever reads it
 *
 * Source: `model/geometry/outputs.py`.
 */
internal data class OutputPart(
    val name: String,
    val isTurned: Boolean,
    val selected: IntRange?,
    val isLogits: Boolean,
) {
    /**
     * Its rows in a file's outputs.
     *
     * @throws DetectorException the file has no such output, or not these channels
     */
    fun rows(outputs: Map<String, RawTensor>): Rows {
        val tensor = outputs[name] ?: throw DetectorException("the spec names an output $name, the file has ${outputs.keys}")
        val shape = tensor.info.shape.let { if (it.size > 2 && it[0] == 1) it.drop(1) else it }
        val all = if (isTurned) shape.first() else shape.last()
        val channels = selected ?: 0 until all
        if (channels.isEmpty() || channels.last >= all) {
            throw DetectorException("output $name has $all channels, the spec asks for ${channels.first} to ${channels.last}")
        }
        val count = tensor.info.size / all
        val rowStep = if (isTurned) 1 else all
        val channelStep = if (isTurned) count else 1
        val rows = OutputRows(tensor, count, channels.last - channels.first + 1, channels.first * channelStep, rowStep, channelStep)
        return if (isLogits) SquashedRows(rows) else rows
    }

    companion object {
        private val SQUASHED = Regex("""sigmoid\((.+)\)""")
        private val FORM = Regex("""(.+?)(\.T)?(?:\[(\d+):(\d+)])?""")

        /** @throws DetectorException the text has another form */
        fun read(text: String): OutputPart {
            if ('|' in text || text.startsWith("dfl(")) {
                throw DetectorException("this app reads no outputs side by side and no dfl(...), found $text")
            }
            val inner = SQUASHED.matchEntire(text)?.groupValues?.get(1)
            val found =
                FORM.matchEntire(inner ?: text)
                    ?: throw DetectorException("an output is written NAME, NAME.T, NAME[FIRST:LAST] or sigmoid(NAME), found $text")
            val (name, turned, first, last) = found.destructured
            val selected = if (first.isEmpty()) null else first.toInt() until last.toInt()
            return OutputPart(name, turned.isNotEmpty(), selected, isLogits = inner != null)
        }
    }
}

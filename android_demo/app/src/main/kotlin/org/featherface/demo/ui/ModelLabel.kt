package org.featherface.demo.ui

/** Models' file names as people say them, what matters most first: on a narrow screen the end is cut. */
object ModelLabel {
    private val USUAL = Regex("(.+)_(\\d+)x(\\d+)_(float32|float16|int8|int8_fp16)\\.tflite")

    /** For instance `int8`; another name as it is. */
    fun precision(name: String): String =
        USUAL
            .matchEntire(name)
            ?.destructured
            ?.component4()
            ?.replace("_fp16", "+float16") ?: name.removeSuffix(".tflite")

    /**
     * For instance `int8 · 320 · 390 KB`; with the network's name where [names] are of several. Another name stays as it is.
     *
     * @param bytes the file's size; null: unknown
     */
    fun of(
        name: String,
        names: List<String>,
        bytes: Long?,
    ): String {
        val (network, height, width) = USUAL.matchEntire(name)?.destructured ?: return precision(name)
        val isOnly = names.all { USUAL.matchEntire(it)?.groupValues?.get(1) == network }
        val size = if (height == width) height else "${width}x$height"
        val room = bytes?.let { "${(it + 512) / 1024} KB" }
        return listOfNotNull(precision(name), size, room, network.takeUnless { isOnly }).joinToString(" · ")
    }
}

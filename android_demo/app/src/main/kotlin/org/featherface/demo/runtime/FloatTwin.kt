package org.featherface.demo.runtime

import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorSpec

/** Finds the float file of the network that a quantized file was made of. */
object FloatTwin {
    private val ENDINGS = listOf("_float32.tflite", "_float16.tflite")

    /**
     * Among [models] the one of the network and input size in [spec] whose name ends with float32, else with float16.
     *
     * @param name the quantized model's
     * @return null if there is none, or [name] is the float32 file itself
     */
    fun of(
        name: String,
        spec: DetectorSpec,
        models: ModelSource,
    ): String? {
        if (name.endsWith(ENDINGS.first())) return null
        val candidates = ENDINGS.flatMap { ending -> models.names().filter { it.endsWith(ending) && it != name } }
        return candidates.firstOrNull { specOf(it, models)?.isTwinOf(spec) ?: false }
    }

    private fun DetectorSpec.isTwinOf(other: DetectorSpec) =
        network == other.network && inputHeight == other.inputHeight && inputWidth == other.inputWidth

    private fun specOf(
        name: String,
        models: ModelSource,
    ): DetectorSpec? =
        try {
            models.open(name).spec
        } catch (error: DetectorException) {
            null // said when it is chosen
        }
}

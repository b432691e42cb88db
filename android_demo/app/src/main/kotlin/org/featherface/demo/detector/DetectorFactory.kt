package org.featherface.demo.detector

/** Which processor runs the network. */
enum class Delegate(
    val label: String,
) {
    /** CPU through XNNPACK. */
    CPU("cpu"),

    /** CPU with the runtime's own kernels. */
    CPU_REFERENCE("cpu_reference"),
    GPU("gpu"),
    ;

    companion object {
        /** The delegate called [label], or null. */
        fun of(label: String): Delegate? = entries.find { it.label == label }
    }
}

/** @property threads of the CPU, 1 to [MAX_THREADS] */
data class RuntimeOptions(
    val threads: Int,
    val delegate: Delegate,
) {
    companion object {
        const val MAX_THREADS = 16
    }
}

/** Loads models; tests put a scripted one in the place of the real one. */
interface DetectorFactory {
    /** Name and version of the runtime. */
    val runtime: String

    /**
     * Load [model]. Use and close the result on the calling thread.
     *
     * @throws GpuUnavailableException the GPU was asked for and cannot be had
     * @throws DetectorException the runtime refuses the model, or its tensors contradict its spec
     */
    fun open(
        model: ModelFile,
        options: RuntimeOptions,
    ): FaceDetector
}

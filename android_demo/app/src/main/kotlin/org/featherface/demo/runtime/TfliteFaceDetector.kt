package org.featherface.demo.runtime

import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.ElementType
import org.featherface.demo.detector.FaceDetector
import org.featherface.demo.detector.GpuUnavailableException
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.OperatorCount
import org.featherface.demo.detector.RawOutputs
import org.featherface.demo.detector.RawTensor
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.Signature
import org.featherface.demo.detector.TensorInfo
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import org.tensorflow.lite.TensorFlowLite
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import java.nio.ByteBuffer

/** A network run by TensorFlow Lite: the only class of the app that knows the runtime. */
class TfliteFaceDetector private constructor(
    private val model: ModelFile,
    private val interpreter: Interpreter,
    private val gpu: GpuDelegate?,
) : FaceDetector {
    override val spec: DetectorSpec = model.spec
    override val input = infoOf(interpreter.getInputTensor(0))
    override val inputBuffer = input.allocate()
    private val inputs = arrayOf<Any>(inputBuffer)
    override val outputs = List(interpreter.outputTensorCount) { infoOf(interpreter.getOutputTensor(it)) }
    private val raw: RawOutputs
    private val outputBuffers: Map<Int, Any>

    init {
        Signature.checkInput(spec, input)
        raw = RawOutputs.of(spec, outputs.map { RawTensor(it, it.allocate()) })
        Signature.checkOutputs(spec, raw)
        outputBuffers = raw.all.withIndex().associate { (index, tensor) -> index to tensor.bytes }
    }

    override fun infer(image: ByteBuffer): RawOutputs {
        inputs[0] = image
        for (index in raw.all.indices) raw.all[index].bytes.clear()
        try {
            interpreter.runForMultipleInputsOutputs(inputs, outputBuffers)
        } catch (error: IllegalArgumentException) {
            throw DetectorException("inference failed: ${error.message}", error)
        } catch (error: IllegalStateException) {
            throw DetectorException("inference failed: ${error.message}", error)
        }
        return raw
    }

    override fun operators(): OperatorCount? {
        val after = stepsOf(interpreter) ?: return null
        val plain = Interpreter(model.bytes, Interpreter.Options().setUseXNNPACK(false))
        return plain.use { stepsOf(it) }?.let { OperatorCount(it, after) }
    }

    /** The length of the execution plan, which the runtime shows only to its own tests; null in a version without it. */
    private fun stepsOf(of: Interpreter): Int? =
        try {
            val inner =
                of.javaClass.superclass
                    ?.getDeclaredField("wrapper")
                    ?.apply { isAccessible = true }
                    ?.get(of)
            inner?.let { steps(it.javaClass, it) }
        } catch (error: ReflectiveOperationException) {
            null
        }

    private fun steps(
        type: Class<*>,
        of: Any,
    ): Int? {
        val declaring = generateSequence<Class<*>>(type) { it.superclass }
        val method = declaring.flatMap { it.declaredMethods.asSequence() }.find { it.name == PLAN && it.parameterCount == 0 }
        return method?.apply { isAccessible = true }?.invoke(of) as? Int
    }

    override fun close() {
        interpreter.close()
        gpu?.close()
    }

    /** Opens models with TensorFlow Lite. */
    object Factory : DetectorFactory {
        override val runtime: String
            get() = "tensorflow-lite " + (runCatching { TensorFlowLite.runtimeVersion() }.getOrNull() ?: "unknown")

        override fun open(
            model: ModelFile,
            options: RuntimeOptions,
        ): FaceDetector {
            val gpu = if (options.delegate == Delegate.GPU) openGpu() else null
            var interpreter: Interpreter? = null
            try {
                val settings = Interpreter.Options().setNumThreads(options.threads)
                settings.setUseXNNPACK(options.delegate == Delegate.CPU)
                gpu?.let(settings::addDelegate)
                interpreter = Interpreter(model.bytes, settings)
                interpreter.allocateTensors()
                return TfliteFaceDetector(model, interpreter, gpu)
            } catch (error: Throwable) {
                // In this order: an interpreter must not outlive its delegate, not even until its finalizer runs.
                interpreter?.close()
                gpu?.close()
                throw problemOf(error, model, isGpu = gpu != null)
            }
        }

        private fun problemOf(
            error: Throwable,
            model: ModelFile,
            isGpu: Boolean,
        ): Throwable =
            when (error) {
                is RuntimeException -> {
                    if (isGpu) {
                        GpuUnavailableException("the GPU refuses ${model.name}: ${error.message}", error)
                    } else {
                        DetectorException("the runtime refuses ${model.name}: ${error.message}", error)
                    }
                }

                is UnsatisfiedLinkError -> {
                    DetectorException("the runtime's native library does not load on this phone: ${error.message}", error)
                }

                else -> {
                    error
                }
            }

        private fun openGpu(): GpuDelegate =
            try {
                if (!CompatibilityList().use { it.isDelegateSupportedOnThisDevice }) {
                    throw GpuUnavailableException("this phone's GPU is not one that the GPU delegate supports")
                }
                GpuDelegate()
            } catch (error: RuntimeException) {
                throw GpuUnavailableException("the GPU delegate does not start: ${error.message}", error)
            } catch (error: LinkageError) {
                throw GpuUnavailableException("the GPU delegate's native library does not load: ${error.message}", error)
            }
    }

    private companion object {
        const val PLAN = "getExecutionPlanLength"

        fun infoOf(tensor: Tensor): TensorInfo {
            val quantization = tensor.quantizationParams()
            val type =
                when (tensor.dataType()) {
                    DataType.FLOAT32 -> ElementType.FLOAT32
                    DataType.INT8 -> ElementType.INT8
                    DataType.UINT8 -> ElementType.UINT8
                    else -> throw DetectorException("tensor ${tensor.name()}: type ${tensor.dataType()} is not supported")
                }
            return TensorInfo(tensor.name(), type, tensor.shape().toList(), quantization.scale, quantization.zeroPoint)
        }
    }
}

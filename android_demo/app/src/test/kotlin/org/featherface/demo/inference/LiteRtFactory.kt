package org.featherface.demo.inference

import com.sun.jna.Library
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.ElementType
import org.featherface.demo.detector.FaceDetector
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.RawOutputs
import org.featherface.demo.detector.RawTensor
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.Signature
import org.featherface.demo.detector.TensorInfo
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The part of LiteRT's C API that inference needs; every function returns 0 for success.
 *
 * Source: google-ai-edge/LiteRT, litert/c/ (version 2.3).
 */
@Suppress("ktlint:standard:function-naming")
private interface LiteRtApi : Library {
    fun LiteRtCreateEnvironment(
        count: Int,
        options: Pointer?,
        environment: PointerByReference,
    ): Int

    fun LiteRtCreateModelFromBuffer(
        environment: Pointer,
        bytes: Pointer,
        size: Long,
        model: PointerByReference,
    ): Int

    fun LiteRtCreateOptions(options: PointerByReference): Int

    fun LiteRtSetOptionsHardwareAccelerators(
        options: Pointer,
        accelerators: Int,
    ): Int

    fun LiteRtCreateCompiledModel(
        environment: Pointer,
        model: Pointer,
        options: Pointer,
        compiled: PointerByReference,
    ): Int

    fun LiteRtGetModelSignature(
        model: Pointer,
        index: Long,
        signature: PointerByReference,
    ): Int

    fun LiteRtGetSignatureSubgraph(
        signature: Pointer,
        graph: PointerByReference,
    ): Int

    fun LiteRtGetSubgraphInput(
        graph: Pointer,
        index: Long,
        tensor: PointerByReference,
    ): Int

    fun LiteRtGetNumSubgraphOutputs(
        graph: Pointer,
        count: Pointer,
    ): Int

    fun LiteRtGetSubgraphOutput(
        graph: Pointer,
        index: Long,
        tensor: PointerByReference,
    ): Int

    fun LiteRtGetTensorName(
        tensor: Pointer,
        name: PointerByReference,
    ): Int

    fun LiteRtGetRankedTensorType(
        tensor: Pointer,
        type: Pointer,
    ): Int

    fun LiteRtGetPerTensorQuantization(
        tensor: Pointer,
        quantization: Pointer,
    ): Int

    fun LiteRtCreateTensorBufferFromHostMemory(
        type: Pointer,
        memory: Pointer,
        size: Long,
        deallocate: Pointer?,
        buffer: PointerByReference,
    ): Int

    fun LiteRtRunCompiledModel(
        compiled: Pointer,
        signature: Long,
        inputCount: Long,
        inputs: Array<Pointer>,
        outputCount: Long,
        outputs: Array<Pointer>,
    ): Int

    fun LiteRtDestroyTensorBuffer(buffer: Pointer)

    fun LiteRtDestroyCompiledModel(compiled: Pointer)

    fun LiteRtDestroyOptions(options: Pointer)

    fun LiteRtDestroyModel(model: Pointer)

    fun LiteRtDestroyEnvironment(environment: Pointer)
}

/** Runs models with LiteRT on the computer that runs the tests. */
class LiteRtFactory(
    library: String,
) : DetectorFactory {
    private val api = Native.load(library, LiteRtApi::class.java)

    override val runtime = "litert (x86-64)"

    override fun open(
        model: ModelFile,
        options: RuntimeOptions,
    ): FaceDetector = LiteRtDetector(api, model)
}

private class LiteRtDetector(
    private val api: LiteRtApi,
    private val file: ModelFile,
) : FaceDetector {
    override val spec: DetectorSpec = file.spec
    private val environment = made("an environment") { api.LiteRtCreateEnvironment(0, null, it) }
    private val model =
        made(file.name) {
            api.LiteRtCreateModelFromBuffer(environment, Native.getDirectBufferPointer(file.bytes), file.bytes.limit().toLong(), it)
        }
    private val options = made("options") { api.LiteRtCreateOptions(it) }
    private val compiled: Pointer
    private val inputTensor: Tensor
    private val outputTensors: List<Tensor>

    init {
        check("choosing the CPU", api.LiteRtSetOptionsHardwareAccelerators(options, CPU))
        compiled = made("a compiled model") { api.LiteRtCreateCompiledModel(environment, model, options, it) }
        val signature = made("a signature") { api.LiteRtGetModelSignature(model, 0, it) }
        val graph = made("a graph") { api.LiteRtGetSignatureSubgraph(signature, it) }
        inputTensor = Tensor(made("an input") { api.LiteRtGetSubgraphInput(graph, 0, it) })
        val count = Memory(8)
        check("counting outputs", api.LiteRtGetNumSubgraphOutputs(graph, count))
        outputTensors =
            List(count.getLong(0).toInt()) { index ->
                Tensor(made("an output") { api.LiteRtGetSubgraphOutput(graph, index.toLong(), it) })
            }
    }

    override val input = inputTensor.info
    override val outputs = outputTensors.map { it.info }
    override val inputBuffer: ByteBuffer = inputTensor.bytes
    private val raw = RawOutputs.of(spec, outputTensors.map { RawTensor(it.info, it.bytes) })

    init {
        Signature.checkInput(spec, input)
        Signature.checkOutputs(spec, raw)
    }

    override fun infer(image: ByteBuffer): RawOutputs {
        if (image !== inputBuffer) {
            image.clear()
            inputBuffer.clear()
            inputBuffer.put(image)
        }
        val ins = arrayOf(inputTensor.buffer)
        val outs = outputTensors.map { it.buffer }.toTypedArray()
        check("inference", api.LiteRtRunCompiledModel(compiled, 0, ins.size.toLong(), ins, outs.size.toLong(), outs))
        return raw
    }

    override fun close() {
        (outputTensors + inputTensor).forEach { api.LiteRtDestroyTensorBuffer(it.buffer) }
        api.LiteRtDestroyCompiledModel(compiled)
        api.LiteRtDestroyOptions(options)
        api.LiteRtDestroyModel(model)
        api.LiteRtDestroyEnvironment(environment)
    }

    private fun check(
        what: String,
        status: Int,
    ) {
        if (status != 0) throw DetectorException("$what failed with LiteRT status $status")
    }

    private fun made(
        what: String,
        make: (PointerByReference) -> Int,
    ): Pointer {
        val made = PointerByReference()
        check("making $what", make(made))
        return made.value
    }

    private inner class Tensor(
        tensor: Pointer,
    ) {
        private val type = Memory(TYPE_BYTES).apply { clear() }
        val info: TensorInfo
        private val memory: Memory
        val bytes: ByteBuffer
        val buffer: Pointer

        init {
            check("reading a type", api.LiteRtGetRankedTensorType(tensor, type))
            val element = ELEMENTS.getValue(type.getInt(0))
            val rank = type.getByte(4).toInt() and 0x7f
            val shape = List(rank) { type.getInt(8L + 4 * it) }
            val quantization = Memory(16).apply { clear() }
            if (element != ElementType.FLOAT32) check("reading a scale", api.LiteRtGetPerTensorQuantization(tensor, quantization))
            val name = made("a name") { api.LiteRtGetTensorName(tensor, it) }.getString(0)
            info = TensorInfo(name, element, shape, quantization.getFloat(0), quantization.getLong(8).toInt())
            val size = info.size.toLong() * element.bytes
            // XNNPACK may read a little past the end of an input.
            memory = Memory(size + 4 * ALIGNMENT).align(ALIGNMENT.toInt()) as Memory
            bytes = memory.getByteBuffer(0, size).order(ByteOrder.nativeOrder())
            buffer = made("a buffer") { api.LiteRtCreateTensorBufferFromHostMemory(type, memory, size, null, it) }
        }
    }

    private companion object {
        const val CPU = 1
        const val TYPE_BYTES = 72L
        const val ALIGNMENT = 64L
        val ELEMENTS = mapOf(1 to ElementType.FLOAT32, 3 to ElementType.UINT8, 9 to ElementType.INT8)
    }
}

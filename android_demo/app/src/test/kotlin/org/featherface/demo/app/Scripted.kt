package org.featherface.demo.app

import android.Manifest
import android.app.Application
import android.content.Context
import android.graphics.ImageFormat
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.util.Size
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.DetectorSpec
import org.featherface.demo.detector.ElementType
import org.featherface.demo.detector.FaceDetector
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.ModelFile
import org.featherface.demo.detector.RawOutputs
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.TensorInfo
import org.featherface.demo.detector.jsonOf
import org.featherface.demo.runtime.ModelSource
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowCameraCharacteristics
import org.robolectric.shadows.StreamConfigurationMapBuilder
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The scripted runtime's model: a real network's outputs, always the same faces. */
const val GOLDEN = "retinaface_mnet025_320_int8"

/** Answers every image with the outputs of a golden file. */
class ScriptedDetector(
    private val golden: Golden,
) : FaceDetector {
    override val spec: DetectorSpec = golden.spec
    override val input = TensorInfo("input", ElementType.UINT8, listOf(1, spec.inputHeight, spec.inputWidth, 3), 1f, 0)
    override val outputs = golden.outputs.all.map { it.info }
    override val inputBuffer: ByteBuffer = input.allocate()
    var runs = 0
    var isClosed = false

    override fun infer(image: ByteBuffer): RawOutputs {
        check(!isClosed) { "used after close" }
        runs++
        return golden.outputs
    }

    override fun close() {
        isClosed = true
    }
}

/** A runtime that plays a script: [refusal] is thrown by the next opening. */
class ScriptedFactory(
    private val golden: Golden = Golden(GOLDEN),
) : DetectorFactory {
    override val runtime = "scripted 1"
    val opened = mutableListOf<ScriptedDetector>()
    val options = mutableListOf<RuntimeOptions>()

    @Volatile var refusal: (RuntimeOptions) -> DetectorException? = { null }

    override fun open(
        model: ModelFile,
        options: RuntimeOptions,
    ): FaceDetector {
        refusal(options)?.let { throw it }
        this.options += options
        return ScriptedDetector(golden).also { opened += it }
    }
}

/** Models that exist only by name. */
class ScriptedModels(
    private vararg val known: String = arrayOf("featherface_v2_320x320_int8.tflite"),
) : ModelSource {
    override fun names(): List<String> = known.toList()

    override fun open(name: String): ModelFile = ModelFile.read(name, tinyFile()) { """{"spec": ${jsonOf(Golden(GOLDEN).spec)}}""" }
}

/** The smallest TFLite file: a Model table without a single field. */
fun tinyFile(): ByteBuffer {
    val bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN)
    bytes
        .putInt(0, 12)
        .put(4, 'T'.code.toByte())
        .put(5, 'F'.code.toByte())
        .put(6, 'L'.code.toByte())
        .put(7, '3'.code.toByte())
    bytes.putShort(8, 4).putShort(10, 4) // the vtable: its own size, the table's size
    bytes.putInt(12, 4) // the table: how far back its vtable is
    return bytes
}

/** Give the phone a camera at its back, and the app the permission for it. */
fun addCamera(
    application: Application,
    isAllowed: Boolean = true,
) {
    val facts = ShadowCameraCharacteristics.newCameraCharacteristics()
    val map = StreamConfigurationMapBuilder.newBuilder().addOutputSize(ImageFormat.YUV_420_888, Size(640, 480))
    shadowOf(facts).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK)
    shadowOf(facts).set(CameraCharacteristics.SENSOR_ORIENTATION, 90)
    shadowOf(facts).set(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP, map.build())
    shadowOf(application.getSystemService(Context.CAMERA_SERVICE) as CameraManager).addCamera("0", facts)
    if (isAllowed) shadowOf(application).grantPermissions(Manifest.permission.CAMERA)
}

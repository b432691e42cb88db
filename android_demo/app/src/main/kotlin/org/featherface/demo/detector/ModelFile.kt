package org.featherface.demo.detector

import org.json.JSONException
import org.json.JSONObject
import java.nio.ByteBuffer

/**
 * A TFLite file and the spec that belongs to it.
 *
 * @property bytes the whole file, mapped or direct, as the runtime wants it
 * @property specSource `metadata` (inside the file) or `sidecar` (the JSON beside it)
 * @property record text of the JSON beside the file; null if there is none
 */
class ModelFile private constructor(
    val name: String,
    val bytes: ByteBuffer,
    val spec: DetectorSpec,
    val specJson: String,
    val specSource: String,
    val record: String?,
) {
    companion object {
        private const val METADATA = "featherface_spec"

        /**
         * Read the spec of a model: the metadata inside the file, or else [sidecar] (text of `X.tflite.json`).
         *
         * @throws DetectorException the file is no TFLite file, or neither holds a usable spec
         */
        fun read(
            name: String,
            bytes: ByteBuffer,
            sidecar: () -> String?,
        ): ModelFile {
            val record = sidecar()
            ModelMetadata.text(bytes, METADATA)?.let {
                return ModelFile(name, bytes, DetectorSpec.fromJson(it), it, "metadata", record)
            }
            if (record == null) throw DetectorException("$name carries no $METADATA metadata and no $name.json is with it")
            val text =
                try {
                    JSONObject(record).getJSONObject("spec").toString()
                } catch (error: JSONException) {
                    throw DetectorException("$name.json: ${error.message}", error)
                }
            return ModelFile(name, bytes, DetectorSpec.fromJson(text), text, "sidecar", record)
        }
    }
}

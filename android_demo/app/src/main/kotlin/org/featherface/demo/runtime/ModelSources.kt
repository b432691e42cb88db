package org.featherface.demo.runtime

import android.content.res.AssetManager
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.ModelFile
import org.json.JSONException
import org.json.JSONObject
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** Where models come from. */
interface ModelSource {
    /** File names, sorted; empty if there is none. */
    fun names(): List<String>

    /** @throws DetectorException the file cannot be read or is not a usable model */
    fun open(name: String): ModelFile

    /** Size of a file; null where that is not known. */
    fun bytes(name: String): Long? = null
}

/** The models that were packed into the app, each with its record: the hash in it, which the app's signature covers, must be the file's. */
class BundledModels(
    private val assets: AssetManager,
) : ModelSource {
    override fun names(): List<String> =
        assets
            .list(FOLDER)
            .orEmpty()
            .filter { it.endsWith(".tflite") }
            .sorted()

    override fun open(name: String): ModelFile =
        try {
            read(name, map("$FOLDER/$name"), textOf("$FOLDER/$name.json"))
        } catch (error: IOException) {
            throw DetectorException("$name cannot be read from the app: ${error.message}", error)
        }

    override fun bytes(name: String): Long? =
        try {
            assets.openFd("$FOLDER/$name").use { it.length }
        } catch (error: IOException) {
            null // compressed, in another build than ours
        }

    /** Maps the asset, which is stored uncompressed, so that it costs no heap. */
    private fun map(path: String): ByteBuffer =
        assets.openFd(path).use { asset ->
            FileInputStream(asset.fileDescriptor).use { stream ->
                stream.channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
            }
        }

    private fun textOf(path: String): String? =
        try {
            assets.open(path).use { it.readBytes().decodeToString() }
        } catch (error: FileNotFoundException) {
            null
        }

    companion object {
        private const val FOLDER = "models"

        /**
         * Read a packed model whose bytes are those that its [record] states the hash of.
         *
         * @throws DetectorException there is no record, the bytes are others, or they are no usable model
         */
        fun read(
            name: String,
            bytes: ByteBuffer,
            record: String?,
        ): ModelFile {
            val stated =
                try {
                    JSONObject(record ?: throw DetectorException("$name has no $name.json with it")).getString("sha256")
                } catch (error: JSONException) {
                    throw DetectorException("$name.json: ${error.message}", error)
                }
            val found = Sha256.of(bytes)
            if (found != stated) {
                val differ = "its sha256 is ${found.take(12)}, $name.json says ${stated.take(12)}"
                throw DetectorException("$name is not the file that was packed: $differ. Install the app again.")
            }
            return ModelFile.read(name, bytes) { record }
        }
    }
}

/** A model in a folder of the phone. */
object PushedModel {
    /**
     * Read the model in [file].
     *
     * @param sidecar the JSON with its spec; null if there is none
     * @param name what it is called, and is named by where something is wrong
     * @throws DetectorException a file cannot be read or is not a usable model
     */
    fun open(
        file: File,
        sidecar: File?,
        name: String = file.name,
    ): ModelFile =
        try {
            val bytes = FileInputStream(file).use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, file.length()) }
            ModelFile.read(name, bytes) { sidecar?.readText() }
        } catch (error: IOException) {
            throw DetectorException("$name cannot be read: ${error.message}", error)
        }
}

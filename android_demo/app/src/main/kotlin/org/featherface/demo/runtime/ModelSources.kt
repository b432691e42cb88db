package org.featherface.demo.runtime

import android.content.res.AssetManager
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.ModelFile
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

/** The models that were packed into the app. */
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
            ModelFile.read(name, map("$FOLDER/$name")) { textOf("$FOLDER/$name.json") }
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

    private companion object {
        const val FOLDER = "models"
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

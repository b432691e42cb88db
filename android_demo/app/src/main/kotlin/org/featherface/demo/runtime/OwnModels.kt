package org.featherface.demo.runtime

import android.content.ContentResolver
import android.net.Uri
import android.provider.OpenableColumns
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.ModelFile
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/** A file that the user picked. */
class PickedFile(
    val name: String,
    val open: () -> InputStream,
) {
    companion object {
        /**
         * What lies behind [uri]; the app that provides it may take its time.
         *
         * @throws DetectorException that app does not answer
         */
        fun of(
            resolver: ContentResolver,
            uri: Uri,
        ): PickedFile {
            val name =
                try {
                    resolver
                        .query(
                            uri,
                            arrayOf(OpenableColumns.DISPLAY_NAME),
                            null,
                            null,
                            null,
                        )?.use { if (it.moveToFirst()) it.getString(0) else null }
                } catch (error: RuntimeException) {
                    throw DetectorException("$uri cannot be read: $error", error)
                }
            return PickedFile(name ?: uri.lastPathSegment.orEmpty()) {
                resolver.openInputStream(uri) ?: throw FileNotFoundException("nothing behind $uri")
            }
        }
    }
}

/**
 * The models that the user opened, kept in [folder], before those of [packed]. One of a packed model's name takes its place.
 *
 * @param folder the app's own
 */
class OwnModels(
    private val folder: File,
    private val packed: ModelSource,
) : ModelSource {
    private val own get() = folder.list { _, name -> name.endsWith(MODEL) }.orEmpty().sorted()

    override fun names(): List<String> = (own + packed.names()).distinct()

    override fun open(name: String): ModelFile = if (name in own) PushedModel.open(File(folder, name), sidecar(name)) else packed.open(name)

    override fun bytes(name: String): Long? = if (name in own) File(folder, name).length() else packed.bytes(name)

    /** Whether [name] is one that the user opened. */
    fun isOwn(name: String): Boolean = name in own

    /**
     * Remove a model that the user opened; a packed one of its name is back then.
     *
     * @throws DetectorException the phone's storage refuses it
     */
    fun remove(name: String) {
        if (!File(folder, name).delete()) throw DetectorException("$name cannot be removed: the phone's storage refuses it")
        File(folder, name + SPEC).delete()
    }

    private fun sidecar(name: String) = File(folder, name + SPEC).takeIf(File::isFile)

    /**
     * Keep one model: a `.tflite` file, and the `.json` of its spec where the file does not carry that itself.
     *
     * @return its name
     * @throws DetectorException the files are others, cannot be read or are no model of this app; nothing is kept
     */
    fun add(files: List<PickedFile>): String {
        val model = files.singleOrNull { it.name.endsWith(MODEL) }
        val spec = files.singleOrNull { it.name.endsWith(SPEC) }
        if (model == null || files.size != listOfNotNull(model, spec).size) {
            throw DetectorException("expected one .tflite file, or one with the .json of its spec, found ${files.map { it.name }}")
        }
        if ('/' in model.name || model.name.startsWith('.')) throw DetectorException("${model.name} is no file's name")
        folder.mkdirs()
        val (modelCopy, specCopy) = listOf("adding", "adding$SPEC").map { File(folder, it) }
        try {
            copy(model, modelCopy)
            spec?.let { copy(it, specCopy) }
            PushedModel.open(modelCopy, specCopy.takeIf { spec != null }, model.name)
            val target = File(folder, model.name)
            File(folder, model.name + SPEC).delete()
            if (spec != null) move(specCopy, File(folder, model.name + SPEC))
            move(modelCopy, target)
            return model.name
        } finally {
            modelCopy.delete()
            specCopy.delete()
        }
    }

    /** What goes wrong inside another app's provider is thrown as it likes. */
    private fun copy(
        file: PickedFile,
        target: File,
    ) = try {
        file.open().use { source -> target.outputStream().use(source::copyTo) }
    } catch (error: IOException) {
        throw DetectorException("${file.name} cannot be read: ${error.message}", error)
    } catch (error: RuntimeException) {
        throw DetectorException("${file.name} cannot be read: $error", error)
    }

    private fun move(
        from: File,
        to: File,
    ) {
        if (!from.renameTo(to)) throw DetectorException("${to.name} cannot be kept: the phone's storage refuses it")
    }

    private companion object {
        const val MODEL = ".tflite"
        const val SPEC = ".json"
    }
}

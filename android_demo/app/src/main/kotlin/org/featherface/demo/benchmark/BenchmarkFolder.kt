package org.featherface.demo.benchmark

import org.featherface.demo.detector.DetectorException
import java.io.File
import java.io.IOException
import java.security.MessageDigest

/**
 * The one folder that a benchmark run reads from and writes to.
 *
 * @param root `files/benchmark`, external or internal
 */
class BenchmarkFolder(
    val root: File,
) {
    /** Create the folders, so that they belong to the app. */
    fun prepare() {
        for (name in listOf(MODELS, IMAGES, RESULTS, GO)) {
            val folder = File(root, name)
            if (!folder.isDirectory && !folder.mkdirs()) throw DetectorException("the folder $folder cannot be created")
        }
    }

    /**
     * The existing file or folder at [path].
     *
     * @throws DetectorException it is absent, or outside of this folder
     */
    fun find(path: String): File {
        val parts = path.split('/')
        if (path.isEmpty() || path.startsWith("/") || ".." in parts) {
            throw DetectorException("a path must be relative to $root and free of '..', found '$path'")
        }
        val file = File(root, path)
        if (!file.exists()) throw DetectorException("there is no $file: push it first")
        if (!contains(file)) throw DetectorException("'$path' leads outside of $root")
        return file
    }

    /**
     * The JSON beside the model at [path]; null if there is none.
     *
     * @throws DetectorException it leads outside of this folder
     */
    fun sidecar(path: String): File? = "$path.json".takeIf { File(root, it).isFile }?.let(::find)

    /** The images at [path], a file or a folder, in order of their paths. */
    fun images(path: String): List<File> {
        val start = find(path)
        val found =
            start
                .walkTopDown()
                .onEnter(::contains)
                .filter { it.isFile && it.extension.lowercase() in EXTENSIONS && contains(it) }
                .sortedBy { it.path }
                .toList()
        if (found.isEmpty()) throw DetectorException("there is no image (${EXTENSIONS.joinToString()}) below $start")
        return found
    }

    /** [file]'s path relative to this folder. */
    fun nameOf(file: File): String = file.relativeTo(root).invariantSeparatorsPath

    /** Where the result of [runId] goes. */
    fun result(runId: String): File = File(File(root, RESULTS), "$runId.json")

    /** The file that the host creates to say "go on". */
    fun go(runId: String): File = File(File(root, GO), runId)

    /** Write [bytes] whole or not at all. */
    fun write(
        target: File,
        bytes: ByteArray,
    ) {
        val temporary = File(target.path + ".part")
        try {
            temporary.writeBytes(bytes)
            if (!temporary.renameTo(target)) throw IOException("renaming failed")
        } catch (error: IOException) {
            temporary.delete()
            throw DetectorException("$target cannot be written: ${error.message}", error)
        }
    }

    /** Whether [file] is below the root once links are followed. */
    private fun contains(file: File): Boolean =
        try {
            file.canonicalPath.startsWith(root.canonicalPath + File.separator)
        } catch (error: IOException) {
            throw DetectorException("$file cannot be resolved: ${error.message}", error)
        }

    companion object {
        const val MODELS = "models"
        const val IMAGES = "images"
        const val RESULTS = "results"
        const val GO = "go"
        private val EXTENSIONS = setOf("jpg", "jpeg", "png", "webp")
    }
}

/** SHA-256 as 64 lower-case hex digits. */
object Sha256 {
    fun of(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes))

    fun of(file: File): String {
        val digest = MessageDigest.getInstance("SHA-256")
        file.inputStream().use { stream ->
            val buffer = ByteArray(1 shl 16)
            while (true) {
                val count = stream.read(buffer)
                if (count < 0) break
                digest.update(buffer, 0, count)
            }
        }
        return hex(digest.digest())
    }

    private fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
}

package org.featherface.demo.benchmark

import org.featherface.demo.detector.DetectorException
import org.featherface.demo.runtime.Sha256
import org.json.JSONObject
import java.io.File
import java.io.IOException
import java.security.DigestOutputStream
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

    /** A file of one JSON object a line, beside the result of [runId]. */
    fun lines(runId: String): JsonLines = JsonLines(File(File(root, RESULTS), "$runId.images.jsonl"))

    /** Say that the app can write here, for the host to read. */
    fun greet() = write(File(root, FROM_APP), "the app was here\n".toByteArray())

    /** Whether the app can read what the host wrote here. */
    fun hearsTheHost(): Boolean =
        try {
            File(root, FROM_HOST).readText().isNotEmpty()
        } catch (error: IOException) {
            false
        }

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
        /** Of the folder, wherever it is. */
        const val NAME = "benchmark"
        const val MODELS = "models"
        const val IMAGES = "images"
        const val RESULTS = "results"
        const val GO = "go"
        const val FROM_APP = "from_app"
        const val FROM_HOST = "from_host"
        private val EXTENSIONS = setOf("jpg", "jpeg", "png", "webp")
    }
}

/** Writes one JSON object a line, whole or not at all, without keeping any in memory. */
class JsonLines(
    private val target: File,
) : AutoCloseable {
    private val temporary = File(target.path + ".part")
    private val digest = MessageDigest.getInstance("SHA-256")
    private val stream =
        try {
            DigestOutputStream(temporary.outputStream().buffered(), digest)
        } catch (error: IOException) {
            throw DetectorException("$target cannot be written: ${error.message}", error)
        }
    private var count = 0

    /** Write [value]. */
    fun add(value: JSONObject) {
        try {
            stream.write((value.toString() + "\n").toByteArray())
        } catch (error: IOException) {
            throw DetectorException("$target cannot be written: ${error.message}", error)
        }
        count++
    }

    /** Give the file its name, and say what is in it: the result's `images`. */
    fun finish(): JSONObject {
        try {
            stream.close()
            if (!temporary.renameTo(target)) throw IOException("renaming failed")
        } catch (error: IOException) {
            throw DetectorException("$target cannot be written: ${error.message}", error)
        }
        return JSONObject()
            .put("file", target.path)
            .put("count", count)
            .put("bytes", target.length())
            .put("sha256", Sha256.hex(digest.digest()))
    }

    override fun close() {
        try {
            stream.close()
        } catch (error: IOException) {
            // What is written was flushed by finish, or is thrown away.
        }
        temporary.delete()
    }
}

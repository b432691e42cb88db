package org.featherface.demo.detector

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Finds a metadata buffer by name inside a TFLite file.
 *
 * Reads only the five tables on the way (Model, Metadata, Buffer and their vectors), so that the app needs no
 * flatbuffer library; every offset is checked against the file, because a truncated file must not crash the app.
 *
 * Source: tensorflow/lite/schema/schema.fbs (field numbers) and the FlatBuffers binary format.
 */
object ModelMetadata {
    private const val IDENTIFIER = "TFL3"
    private const val MODEL_BUFFERS = 4
    private const val MODEL_METADATA = 6
    private const val METADATA_NAME = 0
    private const val METADATA_BUFFER = 1
    private const val BUFFER_DATA = 0

    /**
     * The bytes stored under [name] as UTF-8 text, or null if the file carries no such metadata.
     *
     * @param file the whole file; its position and order are left alone
     * @throws DetectorException the bytes are not a TFLite file, or are cut off
     */
    fun text(
        file: ByteBuffer,
        name: String,
    ): String? {
        val bytes = file.duplicate().order(ByteOrder.LITTLE_ENDIAN)
        try {
            return Reader(bytes).find(name)
        } catch (error: IndexOutOfBoundsException) {
            throw DetectorException("not a whole TFLite file: its tables point outside its ${bytes.limit()} bytes", error)
        }
    }

    private class Reader(
        private val bytes: ByteBuffer,
    ) {
        fun find(name: String): String? {
            if (bytes.limit() < 8 || String(slice(4, 4), Charsets.US_ASCII) != IDENTIFIER) {
                throw DetectorException("not a TFLite file: expected the mark $IDENTIFIER at byte 4 of ${bytes.limit()} bytes")
            }
            val model = follow(0)
            val entries = vector(model, MODEL_METADATA) ?: return null
            val buffers = vector(model, MODEL_BUFFERS) ?: return null
            for (index in 0 until bytes.getInt(entries)) {
                val entry = follow(entries + 4 + 4 * index)
                if (vector(entry, METADATA_NAME)?.let(::string) != name) continue
                val number = field(entry, METADATA_BUFFER)?.let(bytes::getInt) ?: 0
                if (number !in 0 until bytes.getInt(buffers)) throw IndexOutOfBoundsException("buffer $number")
                return vector(follow(buffers + 4 + 4 * number), BUFFER_DATA)?.let(::string)
            }
            return null
        }

        private fun follow(position: Int) = position + bytes.getInt(position)

        /** Position of field [number] of the table at [table], or null if the table leaves it out. */
        private fun field(
            table: Int,
            number: Int,
        ): Int? {
            val vtable = table - bytes.getInt(table)
            val entry = 4 + 2 * number
            if (entry >= bytes.getShort(vtable)) return null
            val offset = bytes.getShort(vtable + entry).toInt() and 0xffff
            return if (offset == 0) null else table + offset
        }

        private fun vector(
            table: Int,
            number: Int,
        ): Int? = field(table, number)?.let(::follow)

        private fun string(vector: Int) = String(slice(vector + 4, bytes.getInt(vector)), Charsets.UTF_8)

        private fun slice(
            start: Int,
            length: Int,
        ): ByteArray {
            if (length < 0 || start < 0 || start.toLong() + length > bytes.limit()) throw IndexOutOfBoundsException("$start+$length")
            return ByteArray(length) { bytes.get(start + it) }
        }
    }
}

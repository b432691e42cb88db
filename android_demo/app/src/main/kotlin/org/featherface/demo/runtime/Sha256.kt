package org.featherface.demo.runtime

import java.io.File
import java.nio.ByteBuffer
import java.security.MessageDigest

/** SHA-256 as 64 lower-case hex digits. */
object Sha256 {
    fun of(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes))

    /** Of the whole buffer, wherever it stands; it stays there. */
    fun of(bytes: ByteBuffer): String {
        val whole = bytes.duplicate().apply { clear() }
        return hex(MessageDigest.getInstance("SHA-256").apply { update(whole) }.digest())
    }

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

    /** [bytes] as hex digits. */
    fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
}

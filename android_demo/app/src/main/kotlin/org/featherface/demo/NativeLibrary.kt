package org.featherface.demo

import java.nio.ByteBuffer

/**
 * The app's C library (`src/main/c`): ten to sixty times fewer instructions for a camera frame than the loop in Kotlin,
 * which stays for the phone where the library does not load, and what Java has no call for.
 */
internal object NativeLibrary {
    /** Whether the library is in the app and suits this processor. */
    val isAvailable: Boolean by lazy {
        try {
            System.loadLibrary("featherface")
            true
        } catch (error: UnsatisfiedLinkError) {
            false
        }
    }

    /** Bytes of a sampler's workspace; the rows' lengths are those of the planes. */
    external fun workspaceBytes(
        contentWidth: Int,
        contentHeight: Int,
        lumaRow: Int,
        chromaRow: Int,
    ): Long

    /** Derive from the tables at the beginning of [workspace] what all frames share; not 0: it is too small. */
    external fun prepare(workspace: ByteBuffer): Int

    /** Write one frame in a form, the place of its ElementType; not 0: a plane is smaller than the layout says, and nothing was written. All buffers are direct. */
    external fun write(
        workspace: ByteBuffer,
        luma: ByteBuffer,
        blue: ByteBuffer,
        red: ByteBuffer,
        tensor: ByteBuffer,
        form: Int,
    ): Int

    /** Bind the calling thread, and those that it will start, to the processors of [mask]; not 0: minus the kernel's error. */
    external fun setAffinity(mask: Long): Int
}

package org.featherface.demo.benchmark

import org.featherface.demo.NativeLibrary
import org.featherface.demo.detector.DetectorException

/** Binds threads to processors, from inside: no other process may do that to an app that is not debuggable. */
internal object Affinity {
    /**
     * Bind the calling thread and those that it will start to [processors].
     *
     * @throws DetectorException the C library does not load here, or the kernel refuses
     */
    fun bind(processors: List<Int>) {
        if (!NativeLibrary.isAvailable) throw DetectorException("processors: the app's native library does not load on this phone")
        val problem = NativeLibrary.setAffinity(processors.fold(0L) { bits, number -> bits or (1L shl number) })
        if (problem !=
            0
        ) {
            throw DetectorException("processors: the kernel does not let the app run on $processors alone (error ${-problem})")
        }
    }
}

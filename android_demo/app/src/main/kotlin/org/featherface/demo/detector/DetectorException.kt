package org.featherface.demo.detector

/**
 * Something the user gave (a model, a spec, an image, a request) cannot be used.
 *
 * The message is one line: what was expected, what was found, what to do next.
 */
open class DetectorException(
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause)

/** The graphics processor cannot run this model on this phone; another delegate may. */
class GpuUnavailableException(
    message: String,
    cause: Throwable? = null,
) : DetectorException(message, cause)

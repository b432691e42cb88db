package org.featherface.demo.ui

import android.os.Handler
import android.os.HandlerThread
import android.os.Process
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.GpuUnavailableException
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.runtime.ModelSource

/** How loading a model ended. */
sealed interface LoadResult {
    /** @property longerSide of the network's input in pixels */
    data class Loaded(
        val longerSide: Int,
        val scoreThreshold: Float,
    ) : LoadResult

    data class Broken(
        val reason: String,
    ) : LoadResult

    data class NoGpu(
        val reason: String,
    ) : LoadResult
}

/** The thread on which the network lives: loads it, runs it, closes it. */
class DetectionThread(
    private val models: ModelSource,
    private val factory: DetectorFactory,
) {
    private val thread = HandlerThread("detector", Process.THREAD_PRIORITY_DISPLAY).apply { start() }
    private var pipeline: DetectionPipeline? = null

    /** Everything that touches the network is posted here. */
    val handler = Handler(thread.looper)

    /** Load a model in place of the one before, and say on this thread how it went. */
    fun load(
        name: String,
        options: RuntimeOptions,
        done: (LoadResult) -> Unit,
    ) {
        handler.post {
            pipeline?.detector?.close()
            pipeline = null
            done(
                try {
                    val detector = factory.open(models.open(name), options)
                    pipeline = DetectionPipeline(detector)
                    LoadResult.Loaded(maxOf(detector.spec.inputWidth, detector.spec.inputHeight), detector.spec.scoreThreshold)
                } catch (error: GpuUnavailableException) {
                    LoadResult.NoGpu(error.message.orEmpty())
                } catch (error: DetectorException) {
                    LoadResult.Broken(error.message.orEmpty())
                },
            )
        }
    }

    /**
     * Find faces. Only on [handler]'s thread.
     *
     * @param copied milliseconds that the frame took from the camera's buffer to [image]
     * @return false if no model is loaded
     * @throws DetectorException the network failed
     */
    fun detect(
        image: ImageSource,
        threshold: Float?,
        result: FrameResult,
        copied: Double = 0.0,
    ): Boolean {
        val current = pipeline ?: return false
        val found = current.detect(image, threshold ?: current.detector.spec.scoreThreshold)
        result.set(found, current.times, image, copied)
        return true
    }

    /** Close the network and end the thread. */
    fun close() {
        handler.post {
            pipeline?.detector?.close()
            pipeline = null
            thread.quitSafely()
        }
    }
}

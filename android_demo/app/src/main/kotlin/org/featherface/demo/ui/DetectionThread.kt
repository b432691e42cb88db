package org.featherface.demo.ui

import android.os.Handler
import android.os.HandlerThread
import android.os.Process
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.FaceSmoother
import org.featherface.demo.detector.GpuUnavailableException
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.YuvImage
import org.featherface.demo.runtime.ModelSource
import java.util.concurrent.atomic.AtomicBoolean

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

/**
 * The thread on which the network lives: loads it, runs it, closes it.
 *
 * @param found called on this thread after each camera frame with null, or with why the network failed
 */
class DetectionThread(
    private val models: ModelSource,
    private val factory: DetectorFactory,
    private val result: FrameResult,
    private val found: (String?) -> Unit,
) {
    private val thread = HandlerThread("detector", Process.THREAD_PRIORITY_DISPLAY).apply { start() }

    @Volatile private var pipeline: DetectionPipeline? = null
    private val searchPosted = AtomicBoolean(false)
    private val search = Runnable(::searchFrame)
    private val smoother = FaceSmoother()

    /** Whether the faces of camera frames are calmed. */
    @Volatile var isSteady = false

    /** Only faces with a greater score are found; null: the model's own threshold. */
    @Volatile var threshold: Float? = null

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
            smoother.clear()
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
     * Find faces in a picture. Only on [handler]'s thread.
     *
     * @return false if no model is loaded
     * @throws DetectorException the network failed
     */
    fun detect(image: ImageSource): Boolean {
        val current = pipeline ?: return false
        val faces = current.detect(image, threshold ?: current.detector.spec.scoreThreshold)
        result.set(faces, current.times, checkNotNull(current.fitted))
        return true
    }

    /**
     * Take in a camera frame; its faces are found on [handler]'s thread, unless a newer frame comes first. On one other thread.
     *
     * @throws DetectorException the frame is smaller than it says
     */
    fun offer(frame: YuvImage) {
        val current = pipeline ?: return
        val free = current.frames.toWrite()
        current.write(frame, free)
        current.frames.written(free)
        if (searchPosted.compareAndSet(false, true)) handler.post(search)
    }

    private fun searchFrame() {
        searchPosted.set(false)
        val current = pipeline ?: return
        val frame = current.frames.toSearch() ?: return
        try {
            val faces = current.find(frame, threshold ?: current.detector.spec.scoreThreshold)
            if (isSteady) smoother.smooth(faces) else smoother.clear()
            result.set(faces, current.times, checkNotNull(frame.letterbox))
            found(null)
        } catch (error: DetectorException) {
            found(error.message.orEmpty())
        } finally {
            current.frames.done()
        }
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

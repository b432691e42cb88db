package org.featherface.demo.ui

import android.os.Handler
import android.os.HandlerThread
import android.os.Process
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.CalibrationOutputs
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectionPipeline
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.DetectorFactory
import org.featherface.demo.detector.FaceSmoother
import org.featherface.demo.detector.GpuUnavailableException
import org.featherface.demo.detector.ImageSource
import org.featherface.demo.detector.InputFrame
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.YuvImage
import org.featherface.demo.detector.pictureIn
import org.featherface.demo.runtime.FloatTwin
import org.featherface.demo.runtime.ModelSource
import java.util.concurrent.atomic.AtomicBoolean

/** How loading a model ended. */
sealed interface LoadResult {
    /**
     * @property longerSide of the network's input in pixels
     * @property floatTwin name of the float model to compare with; null: none is there
     */
    data class Loaded(
        val longerSide: Int,
        val scoreThreshold: Float,
        val floatTwin: String? = null,
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
    private var twin: DetectionPipeline? = null
    private var monitor: DriftMonitor? = null
    private var names: Pair<String, String>? = null

    /** Whether the float twin searches one camera frame in a hundred, too. */
    @Volatile var isTwinWatching = false

    /** How the camera's pictures compare with the calibration's. */
    @Volatile var drift = DriftReport()
        private set

    /** Gets the next camera frame that is searched, upright; then nobody does. */
    @Volatile var frameWanted: ((ArgbImage) -> Unit)? = null

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
            closeNetworks()
            smoother.clear()
            done(
                try {
                    val file = models.open(name)
                    val spec = file.spec
                    val calibration = file.record?.let(CalibrationOutputs::ofRecord)
                    pipeline = DetectionPipeline(factory.open(file, options))
                    monitor = DriftMonitor(spec, calibration)
                    val twin = FloatTwin.of(name, spec, models)
                    names = twin?.let { name to it }
                    LoadResult.Loaded(maxOf(spec.inputWidth, spec.inputHeight), spec.scoreThreshold, twin)
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
        detect(image, current, result)
        return true
    }

    /**
     * Find the faces in a picture with the model in force and with its float twin. Only on [handler]'s thread.
     *
     * @return null if no model is loaded, or it has no twin
     * @throws DetectorException a network failed or the twin cannot be loaded
     */
    fun compare(image: ImageSource): Comparison? {
        val (current, both) = (pipeline ?: return null) to (names ?: return null)
        val other = twin ?: DetectionPipeline(factory.open(models.open(both.second), TWIN_OPTIONS)).also { twin = it }
        return Comparison(both, FrameResult().also { detect(image, current, it) }, FrameResult().also { detect(image, other, it) })
    }

    private fun detect(
        image: ImageSource,
        by: DetectionPipeline,
        target: FrameResult,
    ) {
        val faces = by.detect(image, threshold ?: by.detector.spec.scoreThreshold)
        target.set(faces, by.times, checkNotNull(by.fitted))
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
            frameWanted?.let {
                frameWanted = null
                it(pictureIn(frame, current.detector.input))
            }
            if (isSteady) smoother.smooth(faces) else smoother.clear()
            result.set(faces, current.times, checkNotNull(frame.letterbox))
            watch(current, frame)
            found(null)
        } catch (error: DetectorException) {
            found(error.message.orEmpty())
        } finally {
            current.frames.done()
        }
    }

    private fun watch(
        current: DetectionPipeline,
        frame: InputFrame,
    ) {
        val seen = monitor ?: return
        val compared = names.takeIf { isTwinWatching }?.let { { checkNotNull(compare(pictureIn(frame, current.detector.input))).changes } }
        seen.see(checkNotNull(current.lastOutputs), compared)
        drift = seen.report
    }

    /** Close the network and end the thread. */
    fun close() {
        handler.post {
            closeNetworks()
            thread.quitSafely()
        }
    }

    private fun closeNetworks() {
        for (open in listOf(pipeline, twin)) open?.detector?.close()
        pipeline = null
        twin = null
        names = null
        monitor = null
        drift = DriftReport()
    }

    private companion object {
        /** It is run now and then, and must run on every phone. */
        val TWIN_OPTIONS = RuntimeOptions(threads = 1, delegate = Delegate.CPU)
    }
}

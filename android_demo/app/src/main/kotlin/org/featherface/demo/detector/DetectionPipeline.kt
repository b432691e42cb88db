package org.featherface.demo.detector

import java.nio.ByteBuffer

/** The parts of a frame's time that the app shows and the benchmark reports. */
enum class Stage {
    LETTERBOX,
    INFERENCE,
    DECODE,
    NMS,
}

/** Milliseconds that the stages of the last image took; reused. */
class StageTimes {
    /** By [Stage.ordinal]. */
    val milliseconds = DoubleArray(Stage.entries.size)

    operator fun get(stage: Stage): Double = milliseconds[stage.ordinal]

    /** Sum of all stages. */
    val total: Double get() = milliseconds.sum()
}

/** A monotonic clock; not a function type, which would box every reading. */
fun interface Clock {
    /** Nanoseconds since some moment. */
    fun nanoseconds(): Long
}

/**
 * An image as the network takes it, and where it came from.
 *
 * @property input the network's input, `[1, H, W, 3]`
 */
class InputFrame(
    val input: ByteBuffer,
) {
    /** How the image was fitted; null before the first. */
    var letterbox: Letterbox? = null

    /** Milliseconds that writing it took. */
    var milliseconds = 0.0
}

/**
 * The upright image in [frame] as the network sees it, without the border.
 *
 * @param tensor what the input looks like
 */
fun pictureIn(
    frame: InputFrame,
    tensor: TensorInfo,
): ArgbImage {
    val fit = checkNotNull(frame.letterbox) { "nothing was written to this frame" }
    val pixels = RawTensor(tensor, frame.input)
    val columns = tensor.shape[2]
    val upright =
        IntArray(fit.contentHeight * fit.contentWidth) {
            val first = 3 * (it / fit.contentWidth * columns + it % fit.contentWidth)
            (0..2).fold(OPAQUE) { colour, channel -> colour shl 8 or pixels[first + channel].toInt() }
        }
    return ArgbImage(upright, fit.contentWidth, fit.contentHeight)
}

private const val OPAQUE = 0xff

/**
 * Image in, faces out: letterbox, inference, decoding, suppression, and back to pixels of the image.
 *
 * The camera, stills and the benchmark all go through here. Allocates nothing per image. One thread may [write] the next
 * camera frame while another [find]s the faces of the last; apart from that not safe for two threads at once.
 */
class DetectionPipeline(
    val detector: FaceDetector,
    private val clock: Clock = Clock(System::nanoTime),
) {
    private val spec = detector.spec
    private val camera = InputWriter(spec, detector.input.type)
    private val pictures = InputWriter(spec, detector.input.type)
    private val picture = InputFrame(detector.inputBuffer)
    private val decoder = BoxDecoder(spec)
    private val nms = Nms(spec.anchorCount, spec.nmsIou, spec.maxDetections)
    private val found = Detections(minOf(spec.maxDetections, spec.anchorCount), spec.points)

    /** The camera's two frames, made when the first comes. */
    val frames by lazy { FrameQueue(InputFrame(detector.input.allocate()), InputFrame(detector.input.allocate())) }

    /** How long the last [detect] or [find] took. */
    val times = StageTimes()

    /** The network's outputs of the last [detect]; null before the first. */
    var lastOutputs: RawOutputs? = null
        private set

    /** How the last image of [detect] was fitted into the network's input; null before the first. */
    val fitted: Letterbox? get() = picture.letterbox

    /** Whether the last image of [detect] was written by the C library. */
    val wasNative: Boolean get() = pictures.wasNative

    /**
     * Find the faces in [image].
     *
     * @param scoreThreshold only faces with a greater score
     * @return faces in pixels of the upright image, in an object that the next call overwrites
     * @throws DetectorException the model cannot be run or its outputs contradict its spec
     */
    fun detect(
        image: ImageSource,
        scoreThreshold: Float = spec.scoreThreshold,
    ): Detections {
        write(image, picture, pictures)
        return find(picture, scoreThreshold)
    }

    /** Write a camera's frame into [target]; [find] may be at work on another frame meanwhile. */
    fun write(
        image: YuvImage,
        target: InputFrame,
    ) = write(image, target, camera)

    private fun write(
        image: ImageSource,
        target: InputFrame,
        writer: InputWriter,
    ) {
        val start = clock.nanoseconds()
        target.letterbox = writer.write(image, target.input)
        target.milliseconds = (clock.nanoseconds() - start) / 1e6
    }

    /**
     * Find the faces in an image that was written to [frame].
     *
     * @return as [detect]
     */
    fun find(
        frame: InputFrame,
        scoreThreshold: Float = spec.scoreThreshold,
    ): Detections {
        val start = clock.nanoseconds()
        val outputs = detector.infer(frame.input)
        lastOutputs = outputs
        val inferred = clock.nanoseconds()
        val candidates = decoder.decode(outputs, scoreThreshold)
        val decoded = clock.nanoseconds()
        collect(outputs, candidates)
        checkNotNull(frame.letterbox) { "nothing was written to this frame" }.toImage(found)
        val end = clock.nanoseconds()
        times.milliseconds[Stage.LETTERBOX.ordinal] = frame.milliseconds
        record(Stage.INFERENCE, start, inferred)
        record(Stage.DECODE, inferred, decoded)
        record(Stage.NMS, decoded, end)
        return found
    }

    private fun collect(
        outputs: RawOutputs,
        candidates: Candidates,
    ) {
        found.count = nms.suppress(candidates.boxes, candidates.count)
        for (index in 0 until found.count) {
            val slot = nms.kept[index]
            candidates.boxes.copyInto(found.boxes, 4 * index, 4 * slot, 4 * slot + 4)
            found.scores[index] = candidates.scores[slot]
            decoder.decodeLandmarks(outputs, slot, found.landmarks, 2 * spec.points * index)
        }
    }

    private fun record(
        stage: Stage,
        from: Long,
        to: Long,
    ) {
        times.milliseconds[stage.ordinal] = (to - from) / 1e6
    }
}

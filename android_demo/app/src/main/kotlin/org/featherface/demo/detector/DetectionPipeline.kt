package org.featherface.demo.detector

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
 * Image in, faces out: letterbox, inference, decoding, suppression, and back to pixels of the image.
 *
 * The camera, stills and the benchmark all go through here. Allocates nothing per image. Not safe for two threads at once.
 */
class DetectionPipeline(
    val detector: FaceDetector,
    private val clock: Clock = Clock(System::nanoTime),
) {
    private val spec = detector.spec
    private val writer = InputWriter(spec, detector.input.type)
    private val decoder = BoxDecoder(spec)
    private val nms = Nms(spec.anchorCount, spec.nmsIou, spec.maxDetections)
    private val found = Detections(minOf(spec.maxDetections, spec.anchorCount))

    /** How long the last [detect] took. */
    val times = StageTimes()

    /** The network's outputs of the last [detect]; null before the first. */
    var lastOutputs: RawOutputs? = null
        private set

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
        val start = clock.nanoseconds()
        val letterbox = writer.write(image, detector.inputBuffer)
        val written = clock.nanoseconds()
        val outputs = detector.infer()
        lastOutputs = outputs
        val inferred = clock.nanoseconds()
        val candidates = decoder.decode(outputs, scoreThreshold)
        val decoded = clock.nanoseconds()
        collect(outputs, candidates)
        letterbox.toImage(found)
        val end = clock.nanoseconds()
        record(Stage.LETTERBOX, start, written)
        record(Stage.INFERENCE, written, inferred)
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
            decoder.decodeLandmarks(outputs, slot, found.landmarks, 10 * index)
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

package org.featherface.demo.detector

/** A spec with the usual anchors for a small input. */
fun specOf(
    width: Int,
    height: Int,
    scoreChannels: Int = 2,
) = DetectorSpec(
    network = "test",
    inputHeight = height,
    inputWidth = width,
    padRgb = listOf(123, 117, 104),
    strides = listOf(8, 16, 32),
    anchorSizes = listOf(listOf(16, 32), listOf(64, 128), listOf(256, 512)),
    variances = listOf(0.1f, 0.2f),
    scoreChannels = scoreChannels,
    outputNames = listOf("boxes", "scores", "landmarks"),
    scoreThreshold = 0.5f,
    nmsIou = 0.4f,
    preNmsTopK = 5000,
    maxDetections = 750,
)

/** The JSON of a spec, as Python writes it. */
fun jsonOf(spec: DetectorSpec): String =
    """{"network": "${spec.network}", "input_height": ${spec.inputHeight}, "input_width": ${spec.inputWidth},
        "channel_order": "BGR", "mean": [104.0, 117.0, 123.0], "pad_rgb": ${spec.padRgb}, "strides": ${spec.strides},
        "anchor_sizes": ${spec.anchorSizes}, "variances": ${spec.variances}, "score_channels": ${spec.scoreChannels},
        "output_names": ["boxes", "scores", "landmarks"], "score_threshold": ${spec.scoreThreshold},
        "nms_iou": ${spec.nmsIou}, "pre_nms_top_k": ${spec.preNmsTopK}, "max_detections": ${spec.maxDetections}}"""

/** Float outputs of zeros in the spec's shapes. */
fun outputsOf(spec: DetectorSpec): RawOutputs {
    val tensors =
        spec.outputShapes.mapIndexed { index, shape ->
            val info = TensorInfo(spec.outputNames[index], ElementType.FLOAT32, shape, 0f, 0)
            RawTensor(info, info.allocate())
        }
    return RawOutputs.of(spec, tensors)
}

/** Write element [index] of a float tensor. */
fun RawTensor.set(
    index: Int,
    value: Float,
) {
    bytes.putFloat(4 * index, value)
}

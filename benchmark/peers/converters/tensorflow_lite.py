# /// script
# requires-python = ">=3.12,<3.13"
# dependencies = ["onnx2tf==2.6.9", "tensorflow-cpu==2.21.0", "tf-keras==2.21.0", "keras==3.15.0"]
# [tool.peer]
# title = "TFLiteConverter"
# setting = "of onnx2tf's SavedModel; full integer, uint8 input"
# writes = ".tflite"
# ///
"""TensorFlow's own converter and quantizer. It reads no ONNX: onnx2tf makes the SavedModel."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import onnx2tf
import tensorflow as tf

source, output = Path(sys.argv[1]), Path(sys.argv[2])
images = np.load(source / "calibration.npy").astype(np.float32)
with tempfile.TemporaryDirectory() as folder:
    onnx2tf.convert(
        input_onnx_file_path=str(source / "network.onnx"),
        output_folder_path=folder,
        tflite_backend="tf_converter",
        output_signaturedefs=True,
        copy_onnx_input_output_names_to_tflite=True,
        non_verbose=True,
    )
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    output.write_bytes(converter.convert())

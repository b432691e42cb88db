# /// script
# requires-python = ">=3.12,<3.13"
# dependencies = ["onnx2tf==2.6.9", "tensorflow-cpu==2.21.0", "tf-keras==2.21.0", "keras==3.15.0"]
# [tool.peer]
# title = "onnx2tf"
# setting = "-oiqt, int8 input"
# variants = ["flatbuffer_direct", "tf_converter"]
# writes = ".tflite"
# ///
"""onnx2tf's integer file, by its own writer of flatbuffers (its default) and by TensorFlow's."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import onnx2tf

source, output, variant = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with tempfile.TemporaryDirectory() as folder:
    images = Path(folder) / "images.npy"
    np.save(images, np.load(source / "calibration.npy").astype(np.float32))
    try:
        onnx2tf.convert(
            input_onnx_file_path=str(source / "network.onnx"),
            output_folder_path=folder,
            tflite_backend=variant,
            copy_onnx_input_output_names_to_tflite=True,
            output_integer_quantized_tflite=True,
            custom_input_op_name_np_data_path=[["image", str(images), [[[[0.0] * 3]]], [[[[1.0] * 3]]]]],
            non_verbose=True,
        )
    except RuntimeError as error:
        sys.exit(" ".join(str(error.__cause__ or error).split()))
    output.write_bytes(Path(folder, "network_full_integer_quant.tflite").read_bytes())

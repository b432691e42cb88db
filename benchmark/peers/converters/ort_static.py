# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["onnxruntime==1.32.0", "onnx==1.23.2", "numpy==2.4.6", "sympy==1.14.0"]
# [tool.peer]
# title = "ONNX Runtime"
# setting = "quantize_static, QDQ, min-max"
# variants = ["per tensor", "per channel"]
# writes = ".onnx"
# ///
"""ONNX Runtime's static quantization of the simplified ONNX file, after its own preprocessing."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

source, output, variant = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


class Images(CalibrationDataReader):
    def __init__(self) -> None:
        self.left = iter(np.load(source / "calibration.npy").astype(np.float32).transpose(0, 3, 1, 2))

    def get_next(self):
        image = next(self.left, None)
        return None if image is None else {"image": image[None]}


with tempfile.TemporaryDirectory() as folder:
    prepared = str(Path(folder) / "prepared.onnx")
    quant_pre_process(str(source / "network.onnx"), prepared)
    quantize_static(
        prepared,
        output,
        Images(),
        per_channel=variant == "per channel",
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )

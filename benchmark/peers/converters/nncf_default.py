# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["nncf==3.4.0", "onnx==1.23.2", "onnxruntime==1.32.0", "numpy==2.4.6"]
# [tool.peer]
# title = "NNCF"
# setting = "quantize(), its defaults"
# writes = ".onnx"
# ///
"""NNCF's post-training quantization of the ONNX file, nothing set but the images."""

import os
import sys
from pathlib import Path

os.environ["NNCF_CI"] = "1"  # it would report its use to its makers

import nncf
import numpy as np
import onnx

source, output = Path(sys.argv[1]), sys.argv[2]
images = np.load(source / "calibration.npy").astype(np.float32).transpose(0, 3, 1, 2)
data = nncf.Dataset([image[None] for image in images], lambda image: {"image": image})
model = onnx.load(source / "network.onnx")
onnx.save(nncf.quantize(model, data, subset_size=len(images)), output)

# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "litert-torch==0.10.0", "ai-edge-quantizer==0.10.0", "ai-edge-litert==2.3.0", "torch==2.13.0",
#   "numpy==2.4.6",
# ]
# [tool.peer]
# title = "litert-torch + ai-edge-quantizer"
# setting = "static_wi8_ai8, its own calibration"
# writes = ".tflite"
# ///
"""The exported program as it is, its input channels-last, and the quantizer's default static recipe."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.update(JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")

import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe

source, output = Path(sys.argv[1]), sys.argv[2]
network = torch.export.load(str(source / "network.pt2")).module()
images = np.load(source / "calibration.npy").astype(np.float32)
module = litert_torch.to_channel_last_io(network, args=[0])
with tempfile.TemporaryDirectory() as folder:
    floats = str(Path(folder) / "float32.tflite")
    litert_torch.convert(module, (torch.zeros(1, *images.shape[1:]),)).export(floats)
    tool = quantizer.Quantizer(floats)
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = tool.calibrate({"serving_default": [{"args_0": image[None]} for image in images]})
    tool.quantize(ranges).export_model(output, overwrite=True)

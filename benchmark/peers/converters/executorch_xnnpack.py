# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["executorch==1.5.1", "torch==2.13.0", "torchao==0.18.0", "numpy==2.4.6"]
# [tool.peer]
# title = "ExecuTorch"
# setting = "XNNPACKQuantizer per channel, PT2E"
# writes = ".pte"
# ///
"""ExecuTorch's XNNPACK backend. Nothing else runs its file: asked for answers, it gives them to images."""

import sys
from pathlib import Path

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


def pixels(path):
    return torch.from_numpy(np.load(path).astype(np.float32).transpose(0, 3, 1, 2).copy())


def convert(source, output):
    images = pixels(source / "calibration.npy")
    example = (torch.zeros_like(images[:1]),)
    network = torch.export.load(str(source / "network.pt2")).module()
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(network, quantizer)
    with torch.no_grad():
        for image in images:
            prepared(image[None])
    program = torch.export.export(convert_pt2e(prepared), example)
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    Path(output).write_bytes(lowered.to_executorch().buffer)


def answer(model, images, output):
    method = Runtime.get().load_program(model).load_method("forward")
    answers = [[one.numpy() for one in method.execute((image[None],))] for image in pixels(images)]
    np.savez(output, *(np.stack(rows) for rows in zip(*answers, strict=True)))


if sys.argv[1] == "answer":
    answer(*sys.argv[2:5])
else:
    convert(Path(sys.argv[1]), sys.argv[2])

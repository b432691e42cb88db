"""The recipe of a TFLite file applied to the ONNX file of the same network, for ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from convert.photographs import parity_inputs
from convert.verdict import parity_facts
from model.foundation.artifact import Artifact, replacing, tool_versions
from model.foundation.command_line.progress import step
from model.foundation.records import to_json
from quantize.apply.steps import PARITY_IMAGES, Job
from quantize.calibrate.images import CalibrationImages
from quantize.onnx_runtime.quantizer import layer_precisions, quantize_onnx, weight_census
from quantize.recipe import read_recipe

TOOLS = ("nncf", "onnx", "onnxruntime", "numpy")


def quantize_onnx_file(job: Job, parity_images: int = PARITY_IMAGES) -> Artifact:
    """Apply a recipe and record how far the result is from the PyTorch network and the float32 file.

    Raises:
        InputError: the files do not belong together, the recipe does not fit, or an image is gone.
    """
    recipe, spec = read_recipe(job.recipe), job.spec()
    model = onnx.load(job.model)
    layer_precisions(recipe, model)  # a recipe that does not fit is refused before the images are read
    images = CalibrationImages(job.calibration, spec) if recipe.is_static else ()
    inputs = [np.ascontiguousarray(one.transpose(2, 0, 1)[None], np.float32) for one in images]
    photographs = parity_inputs(job.photographs, spec, parity_images)
    with step(f"{job.output.name}: quantize, parity"), replacing(job.output) as temporary:
        result = quantize_onnx(recipe, model, inputs)
        onnx.save(result, temporary)
        parity, kernels = job.parity(temporary, photographs, spec), runtime_kernels(temporary)
        calibration = {f"calibration_{index}": path for index, path in enumerate(job.calibration) if inputs}
        return Artifact.save(
            job.output,
            content=temporary,
            sources={**job.sources(), **calibration},
            spec=spec.to_json(),
            precision=recipe.name,
            recipe=to_json(recipe),
            calibration_images=len(inputs),
            tools=tool_versions(*TOOLS),
            operators=_kinds(result),
            macs=weight_census(result),
            runtime_kernels=kernels,
            **parity_facts(parity),
        )


def runtime_kernels(path: Path) -> dict[str, int]:
    """What ONNX Runtime itself makes of a file on this machine: kinds of operators after its optimization.

    QLinearConv and the like are integer kernels; a Conv left over runs in float.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(optimized)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return _kinds(onnx.load(optimized))


def _kinds(model: Any) -> dict[str, int]:
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))

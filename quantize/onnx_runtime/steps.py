"""`onnx`: the recipe of a TFLite file applied to the ONNX file of the same network, for ONNX Runtime."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.foundation.artifact import Artifact, replacing, tool_versions
from model.foundation.errors import InputError
from model.foundation.records import to_json

if TYPE_CHECKING:
    from convert.difference import Difference
    from model.geometry.letterbox import Pixels
    from model.geometry.spec import DetectorSpec

TOOLS = ("nncf", "onnx", "onnxruntime", "numpy")
PARITY_IMAGES = 24


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "onnx", help="apply a recipe to an ONNX file, with NNCF, for ONNX Runtime", description=__doc__
    )
    command.add_argument("--recipe", type=Path, required=True, help="recipe (JSON), as for `apply`")
    command.add_argument("--model", type=Path, required=True, help="float32 ONNX file that convert made")
    command.add_argument("--checkpoint", type=Path, required=True, help="the checkpoint it was made from")
    command.add_argument(
        "--calibration", type=Path, nargs="+", default=[], metavar="MANIFEST",
        help="selected images, for recipes with int8 layers",
    )  # fmt: skip
    command.add_argument(
        "--photographs",
        type=Path,
        required=True,
        help="folder of images for the parity (not for calibration)",
    )
    command.add_argument("--output", type=Path, required=True, help="ONNX file to write")
    command.set_defaults(run=run)


@dataclass(frozen=True)
class OnnxJob:
    """The files of one quantization; `calibration` may be empty for a recipe without int8 layers."""

    model: Path
    checkpoint: Path
    recipe: Path
    calibration: tuple[Path, ...]
    photographs: Path
    output: Path


def run(options: argparse.Namespace) -> int:
    """Quantize, hold against PyTorch and the float32 file, record."""
    job = OnnxJob(
        options.model,
        options.checkpoint,
        options.recipe,
        tuple(options.calibration),
        options.photographs,
        options.output,
    )
    quantize_file(job)
    return 0


def quantize_file(job: OnnxJob, parity_images: int = PARITY_IMAGES) -> Artifact:
    """Apply a recipe and record how far the result is from the PyTorch network and the float32 file.

    Raises:
        InputError: the files do not belong together, the recipe does not fit, or an image is gone.
    """
    import onnx

    from convert.photographs import parity_inputs
    from model.foundation.progress import step
    from quantize.onnx_runtime.quantizer import layer_precisions, quantize_onnx, weight_census
    from quantize.recipe import read_recipe

    recipe, spec = read_recipe(job.recipe), _spec_made_from(job.model, job.checkpoint)
    model = onnx.load(job.model)
    layer_precisions(recipe, model)  # a recipe that does not fit is refused before the images are read
    inputs = _calibration(job, spec) if recipe.is_static else []
    photographs = parity_inputs(job.photographs, spec, parity_images)
    with step(f"{job.output.name}: quantize, parity"), replacing(job.output) as temporary:
        result = quantize_onnx(recipe, model, inputs)
        onnx.save(result, temporary)
        parity, kernels = _parity(job, spec, temporary, photographs), runtime_kernels(temporary)
    sources = {"float32": job.model, "checkpoint": job.checkpoint, "recipe": job.recipe}
    sources |= {f"calibration_{index}": path for index, path in enumerate(job.calibration) if inputs}
    return Artifact.save(
        job.output,
        sources=sources,
        spec=spec.to_json(),
        precision=recipe.name,
        recipe=recipe.to_json(),
        calibration_images=len(inputs),
        tools=tool_versions(*TOOLS),
        operators=_kinds(result),
        macs=weight_census(result),
        runtime_kernels=kernels,
        parity=to_json(parity),
    )


def _spec_made_from(model: Path, checkpoint: Path) -> DetectorSpec:
    """The spec of an ONNX file.

    Raises:
        InputError: no such file, or it was not made from this checkpoint.
    """
    from model.runtime.running import open_model

    spec = open_model(model).spec
    Artifact.load(model).require_made_from(checkpoint)
    return spec


def _calibration(job: OnnxJob, spec: DetectorSpec) -> list[Any]:
    import numpy as np

    from calibration_data.selection import read_manifest
    from model.geometry.letterbox import letterbox

    if not job.calibration:
        raise InputError(f"{job.recipe.name} has int8 layers: give selected images with --calibration")
    images = (image for path in job.calibration for image in read_manifest(path).load())
    return [
        np.ascontiguousarray(letterbox(image, spec)[0].transpose(2, 0, 1)[None], np.float32)
        for image in images
    ]


def _parity(job: OnnxJob, spec: DetectorSpec, made: Path, photographs: list[Pixels]) -> dict[str, Difference]:
    from convert.difference import measure_difference
    from model.checkpoint import load_checkpoint
    from model.runtime.running import TorchModel, open_model

    network = load_checkpoint(job.checkpoint, spec.network).network
    references = {"torch": TorchModel(network, spec), "float32": open_model(job.model)}
    file = open_model(made)
    return {
        name: measure_difference(reference, file, photographs, spec) for name, reference in references.items()
    }


def runtime_kernels(path: Path) -> dict[str, int]:
    """What ONNX Runtime itself makes of a file on this machine: kinds of operators after its optimization.

    QLinearConv and the like are integer kernels; a Conv left over runs in float.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(optimized)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return _kinds(onnx.load(optimized))


def _kinds(model: Any) -> dict[str, int]:
    from collections import Counter

    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))

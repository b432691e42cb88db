"""The steps of quantization as functions on files, each leaving a record beside its result."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from rich.progress import track

from calibration_data.selection import read_manifest
from convert.difference import measure_difference
from convert.photographs import parity_inputs
from convert.tflite.graph import read_graph
from model.checkpoint import load_checkpoint
from model.foundation.artifact import Artifact, replacing, sha256_of, tool_versions
from model.foundation.errors import InputError
from model.foundation.progress import step
from model.foundation.records import to_json
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import spec_inside
from model.runtime.running import TorchModel, open_model
from quantize.apply.bias_correction import correct_biases
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.activation_ranges import SAME_SCALE, RangeMeter, read_ranges, write_ranges
from quantize.calibrate.clipping import prepared
from quantize.recipe import Recipe, read_recipe

_log = logging.getLogger(__name__)

CORRECTION_IMAGES = 12

TOOLS = ("ai-edge-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class Job:
    """The files of one quantization.

    Attributes:
        model: Float32 TFLite file that convert made.
        checkpoint: What it was made from.
        ranges: Activation ranges, or None for a recipe without int8 layers.
        output: TFLite file to write.
        calibration: Manifests of images, for a recipe that corrects biases.
    """

    model: Path
    checkpoint: Path
    ranges: Path | None
    output: Path
    calibration: tuple[Path, ...] = ()


def measure(models: list[Path], checkpoint: Path, manifests: list[Path], output: Path) -> None:
    """Measure activation ranges of a checkpoint's float files, one per input size, on selected images.

    Raises:
        InputError: a model is not made from the checkpoint, or an image is gone or changed.
    """
    sizes: dict[str, tuple[Any, dict[str, Any]]] = {}
    selected = [read_manifest(path) for path in manifests]
    for model in models:
        spec = spec_made_from(model, checkpoint)
        inputs = in_turn([manifest.load() for manifest in selected], spec)
        total = sum(len(manifest.files) for manifest in selected)
        facts = {
            "count": total,
            "manifests": [{"file": path.name, "sha256": sha256_of(path)} for path in manifests],
        }
        meter = RangeMeter(model)
        for image in track(inputs, f"activation ranges of {model.name}", total):
            meter.add(image)
        _warn_of(meter.unstable(), model)
        sizes[f"{spec.input_height}x{spec.input_width}"] = (meter.ranges(), facts)
    write_ranges(output, checkpoint, sizes)


def quantize(job: Job, recipe_file: Path, photographs: Path, parity_images: int) -> Artifact:
    """Apply a recipe and record how far the result is from the PyTorch network.

    Raises:
        InputError: the files do not belong together, or the recipe does not fit the model.
    """
    spec, recipe = spec_made_from(job.model, job.checkpoint), read_recipe(recipe_file)
    bounds, measured_at = _bounds(job, recipe, spec)
    with step(f"{job.output.name}: quantize, parity"):
        inputs = parity_inputs(photographs, spec, parity_images)
        network = load_checkpoint(job.checkpoint, spec.network).network
        float_file = open_model(job.model)
        with replacing(job.output) as temporary:
            apply_recipe(recipe, job.model, bounds, temporary)
            if recipe.bias_correction:
                correct_biases(job.model, temporary, correction_images(job.calibration, spec), temporary)
            operators = read_graph(temporary).require_builtin()
            file = open_model(temporary)
            parity = {
                "torch": measure_difference(TorchModel(network, spec), file, inputs, spec),
                "float32": measure_difference(float_file, file, inputs, spec),
            }
    sources = {"float32": job.model, "checkpoint": job.checkpoint, "recipe": recipe_file}
    if bounds is not None and job.ranges is not None:
        sources["ranges"] = job.ranges
    return Artifact.save(
        job.output,
        sources=sources,
        spec=spec.to_json(),
        precision=recipe.name,
        recipe=recipe.to_json(),
        ranges_measured_at=measured_at,
        tools=tool_versions(*TOOLS),
        operators=operators,
        parity=to_json(parity),
    )


def correction_images(manifests: Sequence[Path], spec: DetectorSpec) -> list[Pixels]:
    """The first CORRECTION_IMAGES of the manifests in turn, letterboxed.

    Raises:
        InputError: there is no manifest.
    """
    if not manifests:
        raise InputError("this recipe corrects biases: give images with --calibration")
    sources = [read_manifest(path).load() for path in manifests]
    return list(islice(in_turn(sources, spec), CORRECTION_IMAGES))


def spec_made_from(model: Path, checkpoint: Path) -> DetectorSpec:
    """The spec inside a float file.

    Raises:
        InputError: it has none, or was not made from this checkpoint.
    """
    spec = spec_inside(model)
    if spec is None:
        raise InputError(f"{model} carries no detector spec; make it with 'python -m convert'")
    Artifact.load(model).require_made_from(checkpoint)
    return spec


def _bounds(
    job: Job, recipe: Recipe, spec: DetectorSpec
) -> tuple[dict[str, tuple[float, float]] | None, str | None]:
    if not recipe.is_static:
        return None, None
    if job.ranges is None:
        raise InputError(f"recipe {recipe.name} has int8 layers: give activation ranges with --ranges")
    ranges, measured_at = read_ranges(
        job.ranges, sha256_of(job.checkpoint), spec.input_height, spec.input_width
    )
    return prepared(ranges, recipe.estimator, job.model), measured_at


def in_turn(sources: Sequence[Iterable[Pixels]], spec: DetectorSpec) -> Iterator[Pixels]:
    """Images of several sources in turn, letterboxed, so that the first n are of all of them."""
    for row in zip_longest(*sources):
        for image in row:
            if image is not None:
                yield letterbox(image, spec)[0]


def _warn_of(unstable: dict[str, float], model: Path) -> None:
    """Say which scales two disjoint halves of the images do not agree on."""
    if not unstable:
        return
    worst = ", ".join(f"{name} ({ratio:.2f}x)" for name, ratio in list(unstable.items())[:3])
    _log.warning(
        "%s: two halves of the calibration images give scales that differ by more than %.0f %% for %d "
        "tensors, worst %s; use more images, or an estimator that ignores single extremes",
        model.name,
        100 * (SAME_SCALE - 1),
        len(unstable),
        worst,
    )

"""Quantization-aware training from float files to integer files, with the proof beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration_data.readers import LabelledImage
from convert.conversion import convert_to
from convert.difference import measure_difference
from convert.doors import Opened
from convert.photographs import parity_inputs
from convert.tflite.graph import read_graph
from model.checkpoint import load_checkpoint
from model.evaluation.loop import evaluate
from model.foundation.artifact import Artifact, read_json, sha256_of, tool_versions, write_json
from model.foundation.errors import GateError, InputError
from model.foundation.progress import step
from model.foundation.records import to_json
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.runtime.running import FunctionModel, RunningModel, TorchModel, open_model
from quantize.apply.quantizer import apply_recipe
from quantize.apply.steps import Job, quantize_file, spec_made_from
from quantize.calibrate.bounds import prepared
from quantize.calibrate.estimators import ESTIMATORS
from quantize.calibrate.ranges import SizeRanges, read_ranges, write_ranges
from quantize.qat.faithfulness import Agreement, measure_agreement, require_agreement
from quantize.qat.mirror import Mirror, Weights
from quantize.qat.plan import Plan, Schedule
from quantize.qat.qdq import export_qdq, supports
from quantize.qat.scales import Scales, find_placement
from quantize.qat.teaching import MOST_SIDE, Material, photographs_of
from quantize.qat.trainee import LOG, STATE, Look, Trainee, train
from quantize.qat.write_back import save_weights, with_constants, without_place
from quantize.recipe import Recipe, read_recipe

LOOKED_AT = 24
"""Photographs held aside, of each labelled folder, on which the log's AP is measured."""
SAME_NETWORK = 1e-2
"""Outputs may differ by so much when a batch norm was folded in another order of operations."""
CHECKED = 4
"""Photographs on which the mirror is held against the post-training file before training begins."""


@dataclass(frozen=True, eq=False)
class _Size:
    """One input size: the float file, its spec, and the mirror of its integer file."""

    model: Path
    spec: DetectorSpec
    mirror: Mirror


def run_training(plan: Plan, schedule: Schedule, device: str = "cpu") -> list[tuple[Path, Agreement]]:
    """Train, export and prove; goes on where the output folder stopped.

    Returns:
        The integer file of each size, and how it agrees with what was trained.

    Raises:
        InputError: the files do not belong together, are quantized already, or cannot be trained on.
        GateError: an integer file does not compute what was trained.
    """
    refuse_trained(plan.checkpoint)
    material = Material(plan.data)
    recipe = read_recipe(plan.recipe)
    sizes = _sizes(plan, recipe)
    spec = next(iter(sizes.values())).spec
    trainee = Trainee({side: size.mirror for side, size in sizes.items()}, schedule, device)
    lessons = material.lessons(plan.checkpoint, spec.network, schedule)
    state = plan.output / STATE
    if state.is_file():
        trainee.restore(state)
        print(f"goes on after step {trainee.steps:,}")
    else:
        require_way_back(load_checkpoint(plan.checkpoint, spec.network).network, spec, trainee.weights)
        (plan.output / LOG).unlink(missing_ok=True)
        for size in sizes.values():
            _check_mirror(plan, size, recipe)
    train(trainee, lessons, plan.output, _look(material, sizes))
    for size in sizes.values():
        size.mirror.to("cpu")
    checkpoint, ranges = _keep(plan, schedule, sizes)
    return [_export(plan, size, checkpoint, ranges) for size in sizes.values()]


def require_way_back(network: Detector, spec: DetectorSpec, weights: Weights) -> None:
    """Before training: the untrained weights, written back, must make the same network.

    Raises:
        InputError: a weight of the file cannot be traced to a layer of the network.
    """
    picture = np.random.default_rng(0).integers(0, 256, (spec.input_height, spec.input_width, 3), np.uint8)
    try:
        constants = weights.arrays()
        again = with_constants(network, spec, constants, constants)
        before, after = (TorchModel(one, spec) for one in (network, again))
        found = measure_difference(before, after, [picture], spec)
        worst = max(one.max_error for one in found.outputs.values())
    except (KeyError, ValueError) as error:
        raise InputError(f"{spec.network}: trained weights have no way back into it ({error})") from None
    if not worst <= SAME_NETWORK:
        raise InputError(
            f"{spec.network}: trained weights have no way back into it; written back untrained they change "
            f"its outputs by {worst:.3g}"
        )


def refuse_trained(checkpoint: Path) -> None:
    """Refuse a checkpoint that quantization-aware training wrote.

    Raises:
        InputError: its record says so.
    """
    record = Artifact.record_path(checkpoint)
    if record.is_file() and "fake_quantization" in read_json(record):
        raise InputError(
            f"{checkpoint} was trained with fake quantization already; start from the float checkpoint "
            f"{read_json(record)['made_from']['checkpoint']['file']}"
        )


def _sizes(plan: Plan, recipe: Recipe) -> dict[int, _Size]:
    """Side in pixels -> size, ascending."""
    sizes: dict[int, _Size] = {}
    weights: Weights | None = None
    for model in plan.model:
        spec = spec_made_from(model, plan.checkpoint)
        side = spec.input_height
        if side != spec.input_width or side > MOST_SIDE:
            raise InputError(
                f"{model} takes {spec.input_height}x{spec.input_width}: training needs square inputs of at "
                f"most {MOST_SIDE} pixels; other sizes can be made from what it learned"
            )
        placement = find_placement(model, recipe)
        if weights is None:
            weights = Weights.of(placement)
            weights.freeze(without_place(load_checkpoint(plan.checkpoint, spec.network).network, weights))
        if missing := {name for name in placement.weights.values() if name not in weights}:
            raise InputError(f"{model} has a layer that {plan.model[0]} lacks: {min(missing)}")
        measured, _ = read_ranges(plan.ranges, sha256_of(plan.checkpoint), side, side)
        scales = Scales(placement, prepared(measured, recipe.estimator, model))
        sizes[side] = _Size(model, spec, Mirror(placement, weights, scales))
    if not sizes:
        raise InputError("no float file to train: name one for each input size with --model")
    return dict(sorted(sizes.items()))


def _check_mirror(plan: Plan, size: _Size, recipe: Recipe) -> None:
    """Before an hour is spent: the untrained mirror must be the post-training file."""
    inputs = parity_inputs(plan.photographs, size.spec, CHECKED)
    file = plan.output / f"post_training_{size.spec.input_height}.tflite"
    with step(f"{size.model.name}: fake quantization against the integer file"):
        plan.output.mkdir(parents=True, exist_ok=True)
        apply_recipe(recipe, size.model, size.mirror.scales.bounds(), file)
        require_agreement(measure_agreement(size.mirror, file, inputs), file.name)
        file.unlink()


def _look(material: Material, sizes: Mapping[int, _Size]) -> Look | None:
    """Measures AP of each size on photographs held aside; nothing where there are no labels."""
    sets = material.aside(LOOKED_AT)

    def look() -> dict[str, float]:
        return {
            f"aside_{name}_{side}": round(_average_precision(_running(size), images), 4)
            for name, images in sets.items()
            for side, size in sizes.items()
        }

    return look if sets else None


def _keep(plan: Plan, schedule: Schedule, sizes: Mapping[int, _Size]) -> tuple[Path, Path]:
    """Write the trained checkpoint and its ranges."""
    spec = next(iter(sizes.values())).spec
    network = load_checkpoint(plan.checkpoint, spec.network).network
    mirror = next(iter(sizes.values())).mirror
    trained, before = mirror.weights.arrays(), Weights.of(mirror.placement).arrays()
    checkpoint = plan.output / f"{spec.network}_qat.pth"
    save_weights(with_constants(network, spec, trained, before), checkpoint)
    entries = {}
    for side, size in sizes.items():
        bounds = size.mirror.scales.bounds()
        # Whichever estimator a recipe names, the learned range is the answer.
        learned = {name: dict.fromkeys(ESTIMATORS, pair) for name, pair in bounds.items()}
        entries[f"{side}x{side}"] = SizeRanges.of(learned, {"learned_in_steps": schedule.steps})
    ranges = plan.output / f"{spec.network}_qat_ranges.json"
    write_ranges(ranges, sha256_of(checkpoint), entries)
    Artifact.save(
        checkpoint,
        sources={"checkpoint": plan.checkpoint, "recipe": plan.recipe, "ranges": plan.ranges},
        fake_quantization=to_json(schedule),
        sides=list(sizes),
        data=[folder.name for folder in plan.data],
        tools=tool_versions("torch", "ai-edge-quantizer"),
    )
    return checkpoint, ranges


def _export(plan: Plan, size: _Size, checkpoint: Path, ranges: Path) -> tuple[Path, Agreement]:
    """Convert the trained checkpoint, put the learned ranges into the integer file, and prove it."""
    spec = size.spec
    stem = f"{spec.network}_{spec.input_height}x{spec.input_width}"
    inputs = parity_inputs(plan.photographs, spec, 24)
    network = load_checkpoint(checkpoint, spec.network).network
    onnx, model = plan.output / f"{stem}_qat.onnx", plan.output / f"{stem}_float32_qat.tflite"
    convert_to(Opened(network, spec, checkpoint), inputs, onnx, model)
    settle_weights(size.mirror, model)
    recipe = read_recipe(plan.recipe)
    file = plan.output / f"{stem}_{recipe.name}_qat.tflite"
    quantize_file(Job(model, checkpoint, plan.recipe, plan.photographs, file, ranges), len(inputs))
    agreement, facts = _prove(plan, size, file, inputs)
    write_json(Artifact.record_path(file), {**Artifact.load(file).record, **facts})
    return file, agreement


def settle_weights(mirror: Mirror, model: Path) -> None:
    """Hold the trained weights against those of the float file that was converted from them, and go on with
    the file's: a factor that the network keeps apart (a batch norm's, a fusion weight's) may round a
    weight's last bit, and a weight at a tie is then another integer than the file's.

    Raises:
        GateError: a weight is another; it names the layer.
    """
    stored = {tensor.name: tensor.constant for tensor in read_graph(model).tensors}
    settled = {}
    for name, value in mirror.weights.arrays().items():
        constant = stored.get(name)
        if constant is None or not np.allclose(constant, value, rtol=1e-6, atol=0):
            raise GateError(f"{model.name}: {name} is not what was trained")
        settled[name] = constant
    mirror.weights.take(settled)


def _running(size: _Size) -> RunningModel:
    """The mirror as a running model."""
    return FunctionModel(size.mirror.raw, size.spec, "mirror")


def _average_precision(model: RunningModel, images: Sequence[LabelledImage]) -> float:
    return evaluate(model, images, ious=(0.5,)).matched.average_precision()


def _prove(plan: Plan, size: _Size, file: Path, inputs: Sequence[Pixels]) -> tuple[Agreement, dict[str, Any]]:
    """Hold an integer file against its mirror, and a QDQ ONNX against both; with facts for the record.

    Raises:
        GateError: they disagree.
    """
    with step(f"{file.name}: proof"):
        runs = _running(size), open_model(file)
        precisions = {}
        for folder in plan.report:
            images = photographs_of(folder)
            mine, theirs = (_average_precision(run, images) for run in runs)
            precisions[folder.name] = mine, theirs
        agreement = measure_agreement(size.mirror, file, inputs, precisions)
        require_agreement(agreement, file.name)
        facts: dict[str, Any] = {"agreement": to_json(agreement)}
        if supports(size.mirror):
            qdq = file.with_name(file.stem.replace("_qat", "_qdq_qat") + ".onnx")
            facts["qdq_onnx"] = export_qdq(size.mirror, size.spec, qdq, runs[1], inputs)
    return agreement, facts

"""Quantization-aware training from float files to integer files, with the proof beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration_data.readers import LabelledImage
from convert.difference import measure_difference, require_close
from convert.photographs import PARITY_IMAGES, parity_inputs
from convert.tflite.graph import read_graph
from model.checkpoint import load_checkpoint
from model.evaluation.loop import evaluate
from model.foundation.artifact import Artifact, read_json, replacing, sha256_of, tool_versions, write_json
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.foundation.records import to_json
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.runtime.running import FunctionModel, RunningModel, TorchModel, open_model
from quantize.apply.quantizer import apply_recipe
from quantize.apply.steps import Job, quantize_file
from quantize.calibrate.bounds import prepared
from quantize.calibrate.estimators import ESTIMATORS
from quantize.calibrate.ranges import SizeRanges, checkpoint_hash, read_ranges, write_ranges
from quantize.qat.faithfulness import Agreement, measure_agreement, require_agreement
from quantize.qat.into_file import write_constants
from quantize.qat.into_network import save_weights, with_constants, without_place
from quantize.qat.mirror.mirror import Mirror, Weights
from quantize.qat.mirror.scales import Placement, Scales, find_placement
from quantize.qat.plan import Plan, Schedule
from quantize.qat.qdq import export_qdq, supports
from quantize.qat.teaching import MOST_SIDE, Material, photographs_of
from quantize.qat.trainee import LOG, STATE, Look, Trainee, train
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
    for source in filter(None, (plan.checkpoint, *plan.model)):
        refuse_trained(source)
    material = Material(plan.data)
    recipe = read_recipe(plan.recipe)
    sizes = _sizes(plan, recipe)
    trainee = Trainee({side: size.mirror for side, size in sizes.items()}, schedule, device)
    lessons = material.lessons({side: open_model(size.model) for side, size in sizes.items()}, schedule)
    state = plan.output / STATE
    if state.is_file():
        trainee.restore(state)
        print(f"goes on after step {trainee.steps:,}")
    else:
        if plan.checkpoint is not None:
            spec = next(iter(sizes.values())).spec
            require_way_back(load_checkpoint(plan.checkpoint, spec.network).network, spec, trainee.weights)
        (plan.output / LOG).unlink(missing_ok=True)
        for size in sizes.values():
            _check_mirror(plan, size, recipe)
    train(trainee, lessons, plan.output, _look(material, sizes))
    for size in sizes.values():
        size.mirror.to("cpu")
    weights, ranges = _keep(plan, schedule, sizes)
    return [_export(plan, size, weights, ranges) for size in sizes.values()]


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


def refuse_trained(source: Path) -> None:
    """Refuse a checkpoint or a float file that quantization-aware training wrote.

    Raises:
        InputError: its record says so.
    """
    record = Artifact.record_path(source)
    if record.is_file() and "fake_quantization" in (facts := read_json(record)):
        made = Artifact(source, facts)
        raise InputError(
            f"{source} was trained with fake quantization already; start from the float "
            f"{(made.source('float32') or made.source('checkpoint')).get('file')}"
        )


def _sizes(plan: Plan, recipe: Recipe) -> dict[int, _Size]:
    """Side in pixels -> size, ascending."""
    sizes: dict[int, _Size] = {}
    weights: Weights | None = None
    for model in plan.model:
        side = _side(model, open_model(model).spec)
        with step(f"{model.name}: which tensors share a range"):
            placement = find_placement(model, recipe)
        if weights is None:
            weights = _weights(plan, placement)
        if missing := {name for name in placement.weights.values() if name not in weights}:
            raise InputError(f"{model} has a layer that {plan.model[0]} lacks: {min(missing)}")
        measured, _ = read_ranges(plan.ranges, checkpoint_hash(model, plan.checkpoint), side, side)
        scales = Scales(placement, prepared(measured, recipe.estimator, model))
        sizes[side] = _Size(model, placement.spec, Mirror(placement, weights, scales))
    if not sizes:
        raise InputError("no float file to train: name one for each input size with --model")
    return dict(sorted(sizes.items()))


def _weights(plan: Plan, placement: Placement) -> Weights:
    """What is trained: of a file that a checkpoint comes with, what the checkpoint can hold."""
    weights = Weights.of(placement)
    if plan.checkpoint is not None:
        network = load_checkpoint(plan.checkpoint, placement.spec.network).network
        weights.freeze(without_place(network, weights))
    return weights


def _side(model: Path, spec: DetectorSpec) -> int:
    """Of a file's square input in pixels.

    Raises:
        InputError: pictures of that size cannot be drawn.
    """
    side = spec.input_height
    if side != spec.input_width or side > MOST_SIDE:
        raise InputError(
            f"{model} takes {spec.input_height}x{spec.input_width}: training needs square inputs of at "
            f"most {MOST_SIDE} pixels; other sizes can be made from what it learned"
        )
    return side


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
    """Write the trained weights, as a checkpoint if one was given, and their ranges."""
    first = next(iter(sizes.values()))
    trained = first.mirror.weights.arrays()
    stem = plan.output / f"{first.spec.network}_qat"
    if plan.checkpoint is not None:
        network = load_checkpoint(plan.checkpoint, first.spec.network).network
        before = Weights.of(first.mirror.placement).arrays()
        weights = stem.with_suffix(".pth")
        save_weights(with_constants(network, first.spec, trained, before), weights)
    else:
        weights = stem.with_suffix(".npz")
        with replacing(weights) as temporary:
            np.savez(temporary, **trained)  # type: ignore[arg-type]
    entries = {}
    for side, size in sizes.items():
        bounds = size.mirror.scales.bounds()
        # Whichever estimator a recipe names, the learned range is the answer.
        learned = {name: dict.fromkeys(ESTIMATORS, pair) for name, pair in bounds.items()}
        entries[f"{side}x{side}"] = SizeRanges.of(learned, {"learned_in_steps": schedule.steps})
    ranges = stem.with_name(f"{stem.name}_ranges.json")
    write_ranges(ranges, sha256_of(weights), entries)
    source = {"float32": first.model} if plan.checkpoint is None else {"checkpoint": plan.checkpoint}
    Artifact.save(
        weights,
        sources={**source, "recipe": plan.recipe, "ranges": plan.ranges},
        fake_quantization=to_json(schedule),
        sides=list(sizes),
        data=[folder.name for folder in plan.data],
        tools=tool_versions("torch", "ai-edge-quantizer"),
    )
    return weights, ranges


def _export(plan: Plan, size: _Size, weights: Path, ranges: Path) -> tuple[Path, Agreement]:
    """Put the trained weights into the float file, the learned ranges into its integer file, and prove it."""
    spec = size.spec
    stem = f"{spec.network}_{spec.input_height}x{spec.input_width}"
    inputs = parity_inputs(plan.photographs, spec, PARITY_IMAGES)
    model = plan.output / f"{stem}_float32_qat.tflite"
    checkpoint = None if plan.checkpoint is None else weights
    _write_float(size, weights, model, inputs)
    if checkpoint is not None:
        trained = TorchModel(load_checkpoint(checkpoint, spec.network).network, spec)
        found = measure_difference(trained, open_model(model), inputs, spec)
        require_close(
            found.outputs, dict.fromkeys(found.outputs, SAME_NETWORK), f"{model.name}, {weights.name}"
        )
    recipe = read_recipe(plan.recipe)
    file = plan.output / f"{stem}_{recipe.name}_qat.tflite"
    job = Job(model, checkpoint, plan.recipe, plan.photographs, file, ranges, learned=True)
    quantize_file(job, len(inputs))
    agreement, facts = _prove(plan, size, file, inputs)
    write_json(Artifact.record_path(file), {**Artifact.load(file).record, **facts})
    return file, agreement


def _write_float(size: _Size, weights: Path, output: Path, inputs: Sequence[Pixels]) -> None:
    """The float file with the trained weights, and its record."""
    write_constants(size.model, size.mirror.weights.arrays(), output)
    parity = measure_difference(open_model(size.model), open_model(output, size.spec), inputs, size.spec)
    Artifact.save(
        output,
        sources={"checkpoint": weights, "float32": size.model},
        spec=size.spec.to_json(),
        precision="float32",
        fake_quantization=read_json(Artifact.record_path(weights))["fake_quantization"],
        operators=read_graph(output).require_builtin(),
        parity={"float32": to_json(parity)},
    )


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

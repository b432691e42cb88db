"""Quantization as a step on files: a recipe on a float file, its record beside the result."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibration_data.selection import select_images, write_manifest
from convert.difference import Difference, measure_difference
from convert.photographs import parity_inputs
from convert.tflite.graph import read_graph
from convert.verdict import parity_facts
from model.checkpoint import load_checkpoint
from model.foundation.artifact import Artifact, replacing, tool_versions
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.foundation.records import to_json
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import put_spec, read_model, write_model
from model.runtime.running import Answers, TorchModel, open_model
from quantize.apply.float_file import FloatFile, faces_alone, through_passes
from quantize.apply.operating_point import OperatingPoint, measure_operating_point
from quantize.apply.output_statistics import OutputStatistics, OutputTally
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.images import CalibrationImages
from quantize.calibrate.meter import measure_ranges
from quantize.calibrate.ranges import Ranges, checkpoint_hash, read_ranges
from quantize.recipe import Recipe, read_recipe

CALIBRATION_IMAGES = 200
OPERATING_IMAGES = 200
"""So many calibration images, at most, give the score above which faces are shown."""
PARITY_IMAGES = 24
TOOLS = ("ai-edge-quantizer", "ai-edge-litert")


@dataclass(frozen=True)
class Job:
    """The files of one quantization, to TFLite or to ONNX.

    Attributes:
        model: Float32 file that convert made.
        checkpoint: What it was made from; None leaves the parity with PyTorch out.
        recipe: Precision of each layer.
        photographs: Folder of images for the parity; not those of the calibration.
        output: File to write.
        ranges: Activation ranges, if they were measured before.
        calibration: Manifests of images, for ranges that were not measured, and for the score above which
            the quantized file shows faces.
        learned: Whether the ranges were trained for the float file as it is, so that no pass may edit it.
    """

    model: Path
    checkpoint: Path | None
    recipe: Path
    photographs: Path
    output: Path
    ranges: Path | None = None
    calibration: tuple[Path, ...] = ()
    learned: bool = False

    def spec(self) -> DetectorSpec:
        """The float file's.

        Raises:
            InputError: it has none, or was made from another checkpoint.
        """
        if self.checkpoint is not None:
            return spec_made_from(self.model, self.checkpoint)
        return open_model(self.model).spec

    def sources(self) -> dict[str, Path]:
        """What the output is made from, by role; calibration and ranges are added by whoever uses them."""
        checkpoint = {} if self.checkpoint is None else {"checkpoint": self.checkpoint}
        return {"float32": self.model, **checkpoint, "recipe": self.recipe}

    def parity(self, made: Path, inputs: list[Pixels], spec: DetectorSpec) -> dict[str, Difference]:
        """How far a made file is from the PyTorch network and from the float file."""
        references: dict[str, Answers] = {"float32": open_model(self.model)}
        if self.checkpoint is not None:
            network = load_checkpoint(self.checkpoint, spec.network).network
            references = {"torch": TorchModel(network, spec), **references}
        file = open_model(made)
        return {
            name: measure_difference(faces_alone(one, spec, file.spec), file, inputs, file.spec)
            for name, one in references.items()
        }


def quantize(
    model: Path,
    recipe: Path,
    output: Path,
    *,
    images: Path,
    ranges: Path | None = None,
    seed: int = 0,
) -> Artifact:
    """Quantize a float TFLite file that convert made.

    Args:
        model: The file, with its record beside it.
        recipe: JSON file, e.g. one of `quantize/recipes`.
        output: File to write; its record stands beside it.
        images: Folder of photographs: CALIBRATION_IMAGES of them, drawn by `seed`, give the activation
            ranges, if the recipe needs any, and the score above which faces are shown; its first
            PARITY_IMAGES give the differences in the record.
        ranges: Activation ranges of the same checkpoint instead.
        seed: Of the choice. Which images it fell on is written beside the output.

    Raises:
        InputError: the files do not belong together, or the recipe does not fit the model.
    """
    calibration = output.with_suffix(".calibration.json")
    write_manifest(select_images(images, CALIBRATION_IMAGES, seed)[0], calibration)
    return quantize_file(Job(model, None, recipe, images, output, ranges, (calibration,)))


def quantize_file(job: Job, parity_images: int = PARITY_IMAGES) -> Artifact:
    """Apply a recipe to a TFLite file and record how far the result is from what it was made from.

    Raises:
        InputError: the files do not belong together, or the recipe does not fit the model.
    """
    spec, recipe = job.spec(), read_recipe(job.recipe)
    ranges, measured_at = _ranges(job, recipe, spec)
    with step(f"{job.output.name}: quantize, parity"), replacing(job.output) as temporary:
        inputs = parity_inputs(job.photographs, spec, parity_images)
        source = _write(job, recipe, ranges, inputs, temporary)
        operators = read_graph(temporary).require_builtin()
        parity = job.parity(temporary, inputs, spec)
        point, statistics = _on_calibration(job, temporary, spec)
        made = source.spec if point is None else replace(source.spec, score_threshold=point.threshold)
        _rewrite_spec(temporary, made)
        measured = {} if job.ranges is None or ranges is None else {"ranges": job.ranges}
        measured |= {f"calibration_{place}": one for place, one in enumerate(job.calibration)}
        artifact = Artifact.save(
            job.output,
            content=temporary,
            sources={**job.sources(), **measured},
            spec=made.to_json(),
            precision=recipe.name,
            recipe=to_json(recipe),
            ranges_measured_at=measured_at,
            tools=tool_versions(*TOOLS),
            operators=operators,
            notes=source.notes,
            operating_point=to_json(point),
            output_statistics=to_json(statistics),
            **parity_facts(parity),
        )
    for note in (*source.notes, *([] if point is None else [point.describe()])):
        print(f"{job.output.name}: {note}")
    return artifact


def spec_made_from(model: Path, checkpoint: Path) -> DetectorSpec:
    """The spec of a float file.

    Raises:
        InputError: it has none, or was not made from this checkpoint.
    """
    spec = open_model(model).spec
    Artifact.load(model).require_made_from(checkpoint)
    return spec


def _write(
    job: Job, recipe: Recipe, ranges: Ranges | None, photographs: Sequence[Pixels], output: Path
) -> FloatFile:
    """Write the quantized file; returns what it was made from, which still has the float file's threshold."""
    spec = job.spec()
    with tempfile.TemporaryDirectory() as folder:
        source = FloatFile(job.model, spec)
        if recipe.is_static and not job.learned:
            source = through_passes(job.model, spec, photographs, Path(folder))
        bounds = None if ranges is None else prepared(ranges, recipe.estimator, source.path)
        apply_recipe(recipe, source.path, bounds, output)
    return source


def _on_calibration(
    job: Job, made: Path, spec: DetectorSpec
) -> tuple[OperatingPoint | None, OutputStatistics | None]:
    """None without calibration images, or with too few faces on them."""
    if not job.calibration:
        return None, None
    images, file = CalibrationImages(job.calibration, spec, OPERATING_IMAGES), open_model(made)
    source, tally = faces_alone(open_model(job.model), spec, file.spec), OutputTally(file)
    return measure_operating_point(source, tally, images, file.spec), tally.statistics()


def _rewrite_spec(path: Path, spec: DetectorSpec) -> None:
    model = read_model(path)
    put_spec(model, spec)
    write_model(model, path)


def _ranges(job: Job, recipe: Recipe, spec: DetectorSpec) -> tuple[Ranges | None, str | None]:
    """Activation ranges, and the input size that they were measured at; None where none are needed."""
    if not recipe.is_static:
        return None, None
    if job.ranges is not None:
        sha256 = checkpoint_hash(job.model, job.checkpoint)
        ranges, measured_at = read_ranges(job.ranges, sha256, spec.input_height, spec.input_width)
    elif job.calibration:
        ranges = measure_ranges(job.model, CalibrationImages(job.calibration, spec))
        measured_at = f"{spec.input_height}x{spec.input_width}"
    else:
        raise InputError(
            f"recipe {recipe.name} has int8 layers: give activation ranges with --ranges, or images to "
            "measure them on with --calibration"
        )
    return ranges, measured_at

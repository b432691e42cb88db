"""`run`: photographs through a model on another machine; keeps its raw outputs and compares two machines'.

An integer file gives the same bytes on every machine with the same LiteRT: its AP there is its AP here.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmark.devices.arguments import add_target, models_of, target_of
from benchmark.devices.frames import Frames, chosen_images, read_outputs, write_frames
from benchmark.devices.machine import Machine, RunRequest
from benchmark.devices.opening import Target, opened, parse_device
from benchmark.devices.results import machine_facts, model_facts, now
from model.foundation.artifact import write_json
from model.foundation.errors import GateError, InputError

DEFAULT_OUTPUT = Path("build/benchmark/run")
OUTPUT_NAMES = ("boxes", "scores", "landmarks")


@dataclass(frozen=True)
class Agreement:
    """How one output of two machines agrees over all frames.

    Attributes:
        output: Its name.
        frames: Number of frames.
        identical_frames: Frames whose bytes are equal.
        largest: Largest absolute difference, in the output's own units.
        mean: Mean absolute difference.
    """

    output: str
    frames: int
    identical_frames: int
    largest: float
    mean: float

    @property
    def identical(self) -> bool:
        """Whether every byte of every frame is equal."""
        return self.frames == self.identical_frames


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run", help="run photographs on a device and compare the outputs with another's", description=__doc__
    )
    add_target(parser)
    parser.add_argument("--model", type=Path, nargs="+", required=True, metavar="FILE", help="TFLite files")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="photographs")
    parser.add_argument("--limit", type=int, metavar="N", help="only N of them, evenly spread")
    parser.add_argument("--compare", metavar="DEVICE", help="second machine: host, arm64:CORE, armhf ...")
    parser.add_argument(
        "--require-identical", action="store_true", help="fail (exit 1) unless every byte is equal"
    )
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, metavar="FOLDER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run, store and compare.

    Raises:
        InputError: an option, model or photograph cannot be used.
        DeviceError: a machine fails.
        GateError: bytes differ under --require-identical.
    """
    models, target = models_of(options.model), target_of(options)
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit must be 1 or more, found {options.limit}")
    images = chosen_images(options.images, options.limit)
    targets = [target]
    if options.compare:
        kind, name = parse_device(options.compare)
        targets.append(Target(kind, name))
    folders = [run_models(models, images, one, options.output) for one in targets]
    if len(folders) == 1:
        print(f"outputs of {len(images)} photographs: {folders[0]}")
        return 0
    found = {model.name: compare(folders[0] / model.stem, folders[1] / model.stem) for model in models}
    _show(found, len(images), [folder.name for folder in folders])
    record = {
        "machines": [folder.name for folder in folders],
        "images": [image.name for image in images],
        "models": [model_facts(model) for model in models],
        "agreement": {name: [asdict(one) for one in rows] for name, rows in found.items()},
        "measured_at": now(),
    }
    write_json(options.output / f"{folders[0].name}-{folders[1].name}.json", record)
    if options.require_identical:
        different = [name for name, rows in found.items() if not all(one.identical for one in rows)]
        if different:
            raise GateError(f"{folders[0].name} and {folders[1].name} differ in {', '.join(different)}")
    return 0


def run_models(models: list[Path], images: list[Path], target: Target, base: Path) -> Path:
    """Run every model over the photographs on one machine.

    Returns:
        A folder with, for each model, `STEM/OUTPUT.npy` ([images, N, C], the file's own type) and
        `STEM/run.json`.

    Raises:
        DeviceError: the machine fails.
    """
    name = ":".join(filter(None, (target.kind, target.name))).replace(":", "-")
    with Console(stderr=True).status(f"{name} starts") as status, opened(target) as ready:
        for model in models:
            status.update(f"{ready.machine.facts.name} runs {model.name} on {len(images)} photographs")
            run_model(ready.machine, model, images, base / name / model.stem)
    return base / name


def run_model(machine: Machine, model: Path, images: list[Path], folder: Path) -> None:
    """Run one model over the photographs and store its outputs in `folder`.

    Raises:
        InputError: the model's outputs are not boxes, scores and landmarks.
        DeviceError: the machine fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        frames: Frames = write_frames(model, images, Path(temporary) / "frames")
        raw = Path(temporary) / "raw"
        request = RunRequest(
            model,
            warmup_runs=0,
            warmup_seconds=0,
            runs=0,
            min_seconds=0,
            frames=frames.path,
            outputs=raw,
            max_seconds=3600,
        )
        output = machine.run(request)
        if len(output.outputs) != len(OUTPUT_NAMES):
            raise InputError(
                f"{model}: expected the outputs {', '.join(OUTPUT_NAMES)}, found {len(output.outputs)}"
            )
        arrays = read_outputs(
            raw, [one.shape for one in output.outputs], [one.dtype for one in output.outputs]
        )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, array in zip(OUTPUT_NAMES, arrays, strict=True):
            np.save(folder / f"{name}.npy", array)
    record: dict[str, Any] = {
        "machine": machine_facts(machine),
        "runner": machine.runner,
        "model": model_facts(model),
        "images": [image.name for image in images],
        "measured_at": now(),
    }
    write_json(folder / "run.json", record)


def compare(first: Path, second: Path) -> list[Agreement]:
    """Compare what `run_model` stored of one model on two machines."""
    return [
        agreement(name, np.load(first / f"{name}.npy"), np.load(second / f"{name}.npy"))
        for name in OUTPUT_NAMES
    ]


def agreement(name: str, first: NDArray[Any], second: NDArray[Any]) -> Agreement:
    """How two arrays [frames, ...] of one type agree.

    Raises:
        InputError: they differ in shape or type.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        raise InputError(
            f"{name}: {first.dtype} {first.shape} and {second.dtype} {second.shape} cannot be compared"
        )
    if first.size == 0:
        return Agreement(name, len(first), len(first), 0.0, 0.0)
    difference = np.abs(first.astype(np.float64) - second.astype(np.float64))
    identical = sum(one.tobytes() == other.tobytes() for one, other in zip(first, second, strict=True))
    return Agreement(name, len(first), identical, float(difference.max()), float(difference.mean()))


def _show(found: dict[str, list[Agreement]], images: int, machines: list[str]) -> None:
    table = Table(
        "model",
        "output",
        "identical frames",
        "largest difference",
        "mean",
        title=f"{' and '.join(machines)}, {images} photographs",
    )
    for name, rows in found.items():
        for one in rows:
            counts = f"{one.identical_frames}/{one.frames}"
            table.add_row(name, one.output, counts, f"{one.largest:.3g}", f"{one.mean:.3g}")
    Console().print(table)

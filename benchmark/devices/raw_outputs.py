"""Photographs through a model on a machine: its raw outputs, kept, and two machines' compared byte by byte.

An integer file gives the same bytes on every machine with the same LiteRT: its AP there is its AP here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from benchmark.adb.facts import MachineFacts
from benchmark.devices.machine import Machine, Runner, RunRequest
from benchmark.devices.results import ModelFile, now
from benchmark.runner.output import Tensor
from convert.difference import TensorDifference, TensorSums
from model.evaluation.loop import letterboxed
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError
from model.foundation.records import read_record, write_record
from model.runtime.flatbuffer import read_model, text
from model.runtime.interpreter import TfliteInterpreter
from model.runtime.running import open_model


@dataclass(frozen=True)
class StoredRun:
    """What stands beside the stored outputs of one model on one machine.

    Attributes:
        machine, runner, model: What ran what.
        images: Names of the photographs.
        frames_sha256: Of what the model was fed, all frames one after another.
        measured_at: ISO 8601, UTC.
    """

    machine: MachineFacts
    runner: Runner
    model: ModelFile
    images: tuple[str, ...]
    frames_sha256: str
    measured_at: str


@dataclass(frozen=True)
class Comparison:
    """Two machines on the same photographs; `agreement`: model file -> output -> how stored values differ."""

    machines: tuple[str, ...]
    images: tuple[str, ...]
    models: tuple[ModelFile, ...]
    agreement: dict[str, dict[str, TensorDifference]]
    measured_at: str

    @property
    def different(self) -> list[str]:
        """The models that did not give every byte of every frame alike."""
        frames = len(self.images)
        return [
            model
            for model, outputs in self.agreement.items()
            if any(one.identical < frames for one in outputs.values())
        ]


def run_model(machine: Machine, model: Path, images: Sequence[Path], folder: Path) -> None:
    """Run one model over photographs and store its outputs.

    Args:
        machine: Where it runs.
        model: A TFLite file of the project.
        images: Photographs.
        folder: Gets `OUTPUT.npy` ([images, ...], the file's own type) for each output, and `run.json`.

    Raises:
        InputError: a photograph is unreadable.
        DeviceError: the machine fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        frames, raw = Path(temporary) / "frames", Path(temporary) / "raw"
        _write_frames(model, images, frames)
        request = RunRequest(
            model,
            warmup_runs=0,
            warmup_seconds=0,
            runs=0,
            min_seconds=0,
            frames=frames,
            outputs=raw,
            max_seconds=3600,
        )
        arrays, fed = read_outputs(raw, machine.run(request).outputs), sha256_of(frames)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, array in zip(output_names(model), arrays, strict=True):
            np.save(_stored(folder, name), array)
    names = tuple(image.name for image in images)
    stored = StoredRun(machine.facts, machine.runner, ModelFile.of(model), names, fed, now())
    write_record(folder / "run.json", stored)


def output_names(model: Path) -> list[str]:
    """What a TFLite file calls its outputs, in its order, which every runner keeps."""
    parsed = read_model(model)
    graph = parsed.subgraphs[0]
    called = {
        int(entry.tensorIndex): text(entry.name)
        for signature in parsed.signatureDefs or ()
        for entry in signature.outputs
    }
    return [called.get(int(index), text(graph.tensors[index].name)) for index in graph.outputs]


def _stored(folder: Path, output: str) -> Path:
    """Where an output is kept: other people's names have slashes in them."""
    return folder / f"{quote(output, safe='')}.npy"


def _write_frames(model: Path, images: Iterable[Path], target: Path) -> None:
    """Letterbox photographs to a model's input and write them one after another, in the input's own type."""
    spec, pixel_input = open_model(model).spec, TfliteInterpreter(model).inputs[0]
    with target.open("wb") as stream:
        for image in images:
            stream.write(pixel_input.stored(letterboxed(image, spec)[0]).tobytes())


def read_outputs(folder: Path, tensors: Sequence[Tensor]) -> list[NDArray[np.generic]]:
    """Read what `Machine.run` wrote: one array an output, [frames, *shape without a leading 1].

    Raises:
        InputError: a file does not hold whole frames.
    """
    arrays = []
    for index, tensor in enumerate(tensors):
        path = folder / f"{index}.raw"
        values = np.fromfile(path, tensor.dtype)
        size = int(np.prod(tensor.shape))
        if values.size % size:
            raise InputError(f"{path}: {values.size} values are no multiple of {size}")
        frame = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
        arrays.append(values.reshape(-1, *frame))
    return arrays


def compare(first: Path, second: Path, outputs: Sequence[str]) -> dict[str, TensorDifference]:
    """Compare what `run_model` stored of one model on two machines, output by output.

    Args:
        first, second: Their folders.
        outputs: `output_names` of the model.

    Raises:
        InputError: they are of other models or photographs, or an output differs in shape or type.
    """
    one, other = (read_record(folder / "run.json", StoredRun) for folder in (first, second))
    if (one.model.sha256, one.images) != (other.model.sha256, other.images):
        raise InputError(f"{first} and {second}: expected runs of one model on the same photographs")
    if one.frames_sha256 != other.frames_sha256:
        raise InputError(
            f"{first} and {second}: the model was fed other pixels: the machines decode or resize images "
            "differently"
        )
    return {
        name: difference(name, np.load(_stored(first, name)), np.load(_stored(second, name)))
        for name in outputs
    }


def difference(name: str, first: NDArray[Any], second: NDArray[Any]) -> TensorDifference:
    """How two arrays [frames, ...] of one type differ, in that type's own unit.

    Raises:
        InputError: they differ in shape or type.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        raise InputError(
            f"{name}: {first.dtype} {first.shape} and {second.dtype} {second.shape} cannot be compared"
        )
    sums = TensorSums()
    for one, other in zip(first, second, strict=True):
        sums.add(one, other)
    return sums.result()

"""Files that nothing here runs: the script that made one gives its answers for a whole set at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark.accuracy.evaluation import Run
from benchmark.environment import run_script
from model.evaluation.loop import ImageDetections, letterboxed
from model.evaluation.protocol import detect_letterboxed
from model.foundation.artifact import sha256_of
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.geometry.outputs import joined, physical_names
from model.runtime.running import Answer, FunctionModel


def answered(file: Path, script: Path, reference: Run) -> Run:
    """Run a file by its script.

    Args:
        file: The file; its outputs are those of the reference, in the order of `physical_names`.
        script: See `Converter.writes`.
        reference: A run on the same images.

    Raises:
        InputError: the script fails, or answers with other outputs.
    """
    spec, names = reference.spec, list(reference.images.images)
    inputs = [letterboxed(path, spec) for path in reference.images.images.values()]
    with tempfile.TemporaryDirectory() as folder, step(f"{file.name}: {len(names)} answers"):
        images, answers = Path(folder) / "images.npy", Path(folder) / "answers.npz"
        np.save(images, np.stack([pixels for pixels, _ in inputs]))
        run_script(script, "answer", str(file.resolve()), str(images), str(answers))
        with np.load(answers) as loaded:
            arrays = [loaded[name] for name in loaded.files]
    if len(arrays) != len(physical_names(spec)) or any(len(one) != len(names) for one in arrays):
        raise InputError(f"{script.name}: answered with {len(arrays)} arrays of {[len(a) for a in arrays]}")
    rows: Iterator[Answer] = (
        joined(dict(zip(physical_names(spec), values, strict=True)), spec)
        for values in zip(*arrays, strict=True)
    )
    model = FunctionModel(lambda _: next(rows), spec, file.name)
    found = {
        name: ImageDetections(
            detect_letterboxed(model, pixels, fitted, reference.protocol),
            fitted.image_height,
            fitted.image_width,
        )
        for name, (pixels, fitted) in zip(names, inputs, strict=True)
    }
    return replace(reference, path=file, sha256=sha256_of(file), found=found, images_per_second=None)

"""Fingerprints of a model's raw outputs over a set, so that two machines can be compared bit by bit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration_data.images import load_rgb
from model.foundation.artifact import sha256_of, tool_versions
from model.foundation.command_line.progress import tracked
from model.foundation.errors import GateError, InputError
from model.geometry.letterbox import letterbox
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

FORMAT = "featherface-output-hashes"
TOOLS = ("ai-edge-litert", "onnxruntime", "torch", "pillow", "opencv-python-headless")


@dataclass(frozen=True)
class ImageHashes:
    """SHA-256 of the pixels that the network read and of what it returned for them; see `output_hash`."""

    input: str
    outputs: str


@dataclass(frozen=True)
class OutputHashes:
    """What one model returned on one machine.

    Attributes:
        model, model_sha256: The file.
        images: Name -> hashes.
        sha256: Of all outputs together, in the order of the images.
        versions: Of the tools that decode images and run models.
    """

    model: str
    model_sha256: str
    images: dict[str, ImageHashes]
    sha256: str
    versions: dict[str, str]
    format: str = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"expected {FORMAT}, found {self.format}")


def output_hash(outputs: Sequence[NDArray[Any]]) -> str:
    """SHA-256 over the outputs' bytes one after the other: boxes, scores, landmarks, each in C order as
    the runtime stores it (little-endian). A runner in another language gets it from the same bytes."""
    digest = hashlib.sha256()
    for array in outputs:
        little = np.asarray(array).astype(np.asarray(array).dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(little).tobytes())
    return digest.hexdigest()


def hash_outputs(
    path: Path, spec: DetectorSpec | None, images: Mapping[str, Path], threads: int = 1
) -> OutputHashes:
    """Run a model on letterboxed images and hash its inputs and raw outputs.

    Args:
        path: The model; `spec` is needed where it carries none.
        images: Name -> file.
        threads: Of the runtime.
    """
    model = open_model(path, spec, threads)
    rows = {}
    for name, file in tracked(images.items(), "hashing", len(images)):
        pixels, _ = letterbox(load_rgb(file), model.spec)
        rows[name] = ImageHashes(output_hash([pixels]), output_hash(model.run(pixels).stored))
    together = hashlib.sha256("".join(one.outputs for one in rows.values()).encode()).hexdigest()
    return OutputHashes(path.name, sha256_of(path), rows, together, tool_versions(*TOOLS))


def require_same(found: OutputHashes, other: OutputHashes) -> int:
    """Hold the outputs of two machines against one another.

    Returns:
        The number of images that both have; all agree.

    Raises:
        InputError: of another model, or without a common image.
        GateError: an input or an output differs.
    """
    if other.model_sha256 != found.model_sha256:
        raise InputError(f"the fingerprints are of another model: {other.model} {other.model_sha256[:12]}")
    pairs = {name: (one, other.images[name]) for name, one in found.images.items() if name in other.images}
    if not pairs:
        raise InputError("the two lists of fingerprints have no image in common")
    if inputs := [name for name, (one, two) in pairs.items() if one.input != two.input]:
        raise GateError(
            f"{len(inputs)} of {len(pairs)} inputs differ, the first {inputs[0]}: "
            "the machines decode or resize images differently; compare outputs on the same pixels"
        )
    if outputs := [name for name, (one, two) in pairs.items() if one.outputs != two.outputs]:
        raise GateError(
            f"the outputs of {len(outputs)} of {len(pairs)} images differ, the first {outputs[0]}"
        )
    return len(pairs)

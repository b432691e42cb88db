"""`hashes`: fingerprints of a model's raw outputs over a set, so that two machines can be compared."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmark.accuracy.options import add_model_options, read_set, spec_for
from calibration_data.images import load_rgb
from model.foundation.artifact import read_json, sha256_of, tool_versions, write_json
from model.foundation.errors import GateError, InputError
from model.geometry.letterbox import letterbox
from model.runtime.running import open_model

FORMAT = "featherface-output-hashes"


def output_hash(outputs: Sequence[NDArray[Any]]) -> str:
    """SHA-256 over the outputs' bytes one after the other: boxes, scores, landmarks, each in C order as
    the runtime stores it (little-endian). A runner in another language gets it from the same bytes."""
    digest = hashlib.sha256()
    for array in outputs:
        little = np.asarray(array).astype(np.asarray(array).dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(little).tobytes())
    return digest.hexdigest()


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmark`."""
    command = subparsers.add_parser(
        "hashes", help="fingerprints of raw outputs, to compare two machines bit by bit", description=__doc__
    )
    command.add_argument("--model", type=Path, required=True, help=".tflite, .onnx or .pth")
    command.add_argument("--images", type=Path, required=True, help="folder of images")
    command.add_argument("--limit", type=int, help="this many images, drawn at random")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=1)
    command.add_argument("--output", type=Path, help="write the fingerprints (JSON)")
    command.add_argument(
        "--against", type=Path, help="fingerprints of another machine; exit code 1 if one differs"
    )
    add_model_options(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Hash, write and compare.

    Raises:
        GateError: an output differs from the other machine's.
    """
    images = read_set(options.images, None).sample(options.limit, options.seed)
    result = hash_outputs(options.model, images.images, options)
    if options.output is not None:
        write_json(options.output, result)
    if options.against is not None:
        message = compare(result, read_json(options.against))
        print(message)
    elif options.output is None:
        print(json.dumps(result, indent=2))
    else:
        print(f"{options.output}: {len(result['images'])} images, all together {result['sha256'][:16]}")
    return 0


def hash_outputs(path: Path, images: dict[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """Run a model on letterboxed images and hash its inputs and raw outputs.

    Returns:
        JSON values; "images" maps a name to the hashes of its input pixels and its outputs.
    """
    model = open_model(path, spec_for(path, options), options.threads)
    rows = {}
    for name, file in track(images.items(), "hashing", len(images), console=Console(stderr=True)):
        pixels, _ = letterbox(load_rgb(file), model.spec)
        rows[name] = {"input": output_hash([pixels]), "outputs": output_hash(model.run(pixels).stored)}
    return {
        "format": FORMAT,
        "model": path.name,
        "model_sha256": sha256_of(path),
        "versions": tool_versions(
            "ai-edge-litert", "onnxruntime", "torch", "pillow", "opencv-python-headless"
        ),
        "images": rows,
        "sha256": hashlib.sha256("".join(one["outputs"] for one in rows.values()).encode()).hexdigest(),
    }


def compare(found: dict[str, Any], other: dict[str, Any]) -> str:
    """Compare fingerprints of two machines.

    Returns:
        One sentence, when all agree.

    Raises:
        InputError: not fingerprints, of another model, or without a common image.
        GateError: an input or an output differs.
    """
    if other.get("format") != FORMAT:
        raise InputError(f"expected {FORMAT}, found {other.get('format')}")
    if other["model_sha256"] != found["model_sha256"]:
        raise InputError(
            f"the fingerprints are of another model: {other['model']} {other['model_sha256'][:12]}"
        )
    common = [name for name in found["images"] if name in other["images"]]
    if not common:
        raise InputError("the two lists of fingerprints have no image in common")
    inputs = [name for name in common if found["images"][name]["input"] != other["images"][name]["input"]]
    if inputs:
        raise GateError(
            f"{len(inputs)} of {len(common)} inputs differ, the first {inputs[0]}: "
            "the machines decode or resize images differently; compare outputs on the same pixels"
        )
    outputs = [
        name for name in common if found["images"][name]["outputs"] != other["images"][name]["outputs"]
    ]
    if outputs:
        raise GateError(
            f"the outputs of {len(outputs)} of {len(common)} images differ, the first {outputs[0]}"
        )
    return f"bit-exact: all outputs of {len(common)} images are the same"

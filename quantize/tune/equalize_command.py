"""The command `equalize`: a checkpoint whose channels suit one activation scale, proven to help."""

from __future__ import annotations

import argparse
from pathlib import Path

EXACT = 1e-4
"""Largest difference of an output on photographs, as a share of the largest value of that output."""
CHECKED = 8


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it."""
    parser = subparsers.add_parser("equalize", help="rewrite a checkpoint exactly, so that INT8 loses less")
    parser.add_argument("--checkpoint", type=Path, required=True, help="trained weights (.pth)")
    parser.add_argument("--network", required=True, help="featherface_v1, featherface_v2 or retinaface")
    parser.add_argument("--calibration", type=Path, nargs="+", required=True, help="manifest(s) of images")
    parser.add_argument("--images", type=int, default=48, help="of the manifests, in turn (48)")
    parser.add_argument("--size", default="320", help="input size to measure channels at (320)")
    parser.add_argument("--data", type=Path, nargs="+", help="folder(s) with label.txt and images/: prove it")
    parser.add_argument("--labelled", type=int, default=100, help="images of each folder for the proof (100)")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint (.pth) to write")
    parser.set_defaults(run=_equalize)


def _equalize(options: argparse.Namespace) -> int:
    import copy

    import torch

    from calibration_data.image_set import ImageSet
    from model.checkpoint import load_checkpoint
    from model.foundation.artifact import Artifact, replacing
    from model.foundation.progress import step
    from model.geometry.spec import parse_size
    from model.networks import spec_of
    from model.runtime.running import TorchModel
    from quantize.calibrate.images import CalibrationImages
    from quantize.tune.before_after import Proof, int8_of
    from quantize.tune.equalize import equalize, require_equal

    spec = spec_of(options.network, *parse_size(options.size))
    network = load_checkpoint(options.checkpoint, options.network).network
    images = list(CalibrationImages(options.calibration, spec, options.images))
    before = copy.deepcopy(network)
    with step(f"equalize {options.checkpoint.name} on {len(images)} images"):
        equalize(network, spec, images)
        runs = TorchModel(before, spec), TorchModel(network, spec)
        differences = require_equal(*runs, images[:CHECKED], EXACT)
    with replacing(options.output) as temporary:
        torch.save(network.state_dict(), temporary)
    proof = None
    if options.data:
        labelled = [
            image
            for folder in options.data
            for image in ImageSet.in_folder(folder).half("search", options.labelled).labelled
        ]
        with step("INT8 before and after: convert, quantize, score"):
            whole, old = int8_of(before, spec, options.checkpoint, images, labelled)
            _, new = int8_of(network, spec, options.output, images, labelled)
        proof = Proof(whole, old, new)
    Artifact.save(
        options.output,
        sources={"checkpoint": options.checkpoint},
        step="cross-layer equalization",
        differences=differences,
        proof=None if proof is None else proof.to_json(),
    )
    if proof is not None:
        proof.require("equalization")
    return 0

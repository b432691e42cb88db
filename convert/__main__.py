"""Command line: checkpoint -> simplified ONNX and float32 TFLite, each held against PyTorch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.foundation.errors import exit_code_of
from model.geometry.spec import parse_size

PARITY_IMAGES = 24


def main() -> int:
    """Parse the arguments and make both files."""
    parser = argparse.ArgumentParser(prog="python -m convert", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="trained weights (.pth)")
    parser.add_argument("--network", required=True, help="featherface_v1, featherface_v2 or retinaface")
    parser.add_argument("--size", default="320", help="input size: 320, or HEIGHTxWIDTH, multiples of 32")
    parser.add_argument("--photographs", type=Path, required=True, help="folder of images for the parity")
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the files")
    arguments = parser.parse_args()
    # What is checked first costs nothing; PyTorch is only loaded for arguments that can work.
    from model.networks import spec_of

    spec = spec_of(arguments.network, *parse_size(arguments.size))
    from convert.onnx_file.export import export_onnx
    from convert.photographs import parity_inputs
    from convert.tflite.export import export_tflite
    from model.checkpoint import load_checkpoint
    from model.foundation.progress import step

    loaded = load_checkpoint(arguments.checkpoint, arguments.network)
    for note in loaded.notes:
        print(f"{arguments.checkpoint.name}: {note}")
    photographs = parity_inputs(arguments.photographs, spec, PARITY_IMAGES)
    stem = f"{spec.network}_{spec.input_height}x{spec.input_width}"
    onnx = arguments.output / f"{stem}.onnx"
    with step(f"{onnx.name}: export, simplify, parity"):
        export_onnx(loaded.network, spec, arguments.checkpoint, onnx, photographs)
    tflite = arguments.output / f"{stem}_float32.tflite"
    sources = {"checkpoint": arguments.checkpoint, "onnx": onnx}
    with step(f"{tflite.name}: convert, parity"):
        export_tflite(loaded.network, spec, sources, tflite, photographs)
    return 0


if __name__ == "__main__":
    sys.exit(exit_code_of(main))

"""The command `qat`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from quantize.qat.schedule import Schedule


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it."""
    command = subparsers.add_parser(
        "qat", help="train with fake quantization; goes on where the output folder stopped"
    )
    command.add_argument(
        "--model", type=Path, nargs="+", required=True, help="float32 TFLite that convert made, one per size"
    )
    command.add_argument("--checkpoint", type=Path, required=True, help="the checkpoint they were made from")
    command.add_argument("--ranges", type=Path, required=True, help="activation ranges (JSON) to start from")
    command.add_argument("--recipe", type=Path, required=True, help="recipe (JSON) with int8 layers")
    command.add_argument(
        "--data",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="training folders: label.txt and images/, or photographs without labels",
    )
    command.add_argument("--photographs", type=Path, required=True, help="folder of images for the proof")
    command.add_argument(
        "--report",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="labelled folders for the last AP",
    )
    command.add_argument("--output", type=Path, required=True, help="folder for everything that is made")
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    command.add_argument("--threads", type=int, default=1, help="of the CPU (default: %(default)s)")
    schedule = command.add_argument_group("schedule")
    for field in dataclasses.fields(Schedule):
        option = "--" + field.name.replace("_", "-")
        if isinstance(field.default, tuple):
            schedule.add_argument(option, type=float, nargs=len(field.default), default=field.default)
        elif isinstance(field.default, bool):
            schedule.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            schedule.add_argument(
                option, type=type(field.default), default=field.default, help="default: %(default)s"
            )
    command.set_defaults(run=_qat)


def _qat(options: argparse.Namespace) -> int:
    import cv2
    import torch

    from model.foundation.errors import InputError
    from quantize.qat import steps

    if options.threads < 1:
        raise InputError(f"--threads must be at least 1, found {options.threads}")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this PyTorch sees no GPU; use --device cpu")
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # gradients that underflow would take many times as long
    cv2.setNumThreads(1)
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(Schedule)}
    schedule = Schedule(**{**values, "loss_weights": tuple(values["loss_weights"])})
    plan = steps.Plan(
        tuple(options.model),
        options.checkpoint,
        options.ranges,
        options.recipe,
        tuple(options.data),
        options.photographs,
        tuple(options.report),
        options.output,
    )
    for artifact in steps.run_training(plan, schedule, options.device):
        for name, (mirror, file) in artifact.record["agreement"]["average_precision"].items():
            print(f"{artifact.path.name}: AP on {name} {file:.4f} (trained network {mirror:.4f})")
        print(f"{artifact.path} agrees with what was trained")
    return 0

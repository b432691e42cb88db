"""The command `qat`."""

from __future__ import annotations

from typing import Literal

from quantize.qat.plan import Plan, Schedule


def qat(
    *,
    plan: Plan,
    schedule: Schedule = Schedule(),
    processor: Literal["cpu", "cuda"] = "cpu",
    threads: int = 1,
) -> None:
    """Train with fake quantization, and make the integer file, which computes what was trained to the bit.

    Goes on where the output folder stopped. Ends with exit code 1 if the file is not what was trained.

    Args:
        plan: The files.
        schedule: How long and how fast.
        processor: That trains.
        threads: Of the CPU.
    """
    import torch

    from model.training.processor import prepared
    from quantize.qat import steps

    prepared(processor, threads)
    torch.set_flush_denormal(True)  # gradients that underflow would take many times as long
    for path, agreement in steps.run_training(plan, schedule, processor):
        for name, (mirror, file) in agreement.average_precision.items():
            print(f"{path.name}: AP on {name} {file:.4f} (trained network {mirror:.4f})")
        print(f"{path} agrees with what was trained")

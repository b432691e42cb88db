"""What trains: the CPU or a GPU, and how many threads beside it."""

from __future__ import annotations

import cv2
import torch

from model.foundation.errors import InputError


def prepared(processor: str, threads: int | None) -> torch.device:
    """The device that trains, with so many threads of the CPU for networks and one for pictures.

    Raises:
        InputError: there is no such device, or the number is none.
    """
    if threads is not None:
        if threads < 1:
            raise InputError(f"--threads must be at least 1, found {threads}")
        torch.set_num_threads(threads)
    cv2.setNumThreads(1)  # views are drawn beside the network, which has the cores
    if processor == "cuda" and not torch.cuda.is_available():
        raise InputError("--processor cuda: this PyTorch sees no GPU; use --processor cpu")
    return torch.device(processor)

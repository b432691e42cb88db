"""A small folder of drawn photographs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-for-bit equality needs the same split of sums; and these networks are too small for two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def labelled_folder(tmp_path: Path) -> Path:
    """Forty drawings of one or two bright "faces" on noise, with RetinaFace's label.txt."""
    folder = tmp_path / "drawn_train"
    (folder / "images").mkdir(parents=True)
    draw = np.random.default_rng(5)
    lines = []
    for index in range(40):
        image = draw.integers(0, 60, (120, 160, 3)).astype(np.uint8)
        lines.append(f"# {index}.png")
        for _ in range(1 + index % 2):
            x, y, side = int(draw.integers(0, 120)), int(draw.integers(0, 80)), int(draw.integers(20, 40))
            cv2.rectangle(image, (x, y), (x + side - 1, y + side - 1), (220, 180, 160), -1)
            points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
            marks = " ".join(f"{x + side * u:.2f} {y + side * v:.2f} 1.0" for u, v in points)
            lines.append(f"{x} {y} {side} {side} {marks} 0.9")
        cv2.imwrite(str(folder / "images" / f"{index}.png"), image)
    (folder / "label.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder

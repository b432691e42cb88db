"""What several test packages need: shared photographs, demo pictures, one converted V2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from calibration_data.demo import write_demo_set
from calibration_data.readers import LabelledImage, read_labels
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
EMBEDDED = ROOT / "model" / "weights" / "featherface_v2.pth"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Checkpoints, photographs and goldens that are no part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs the photographs and checkpoints of ../shared")
    return SHARED


@pytest.fixture(scope="session")
def demo_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded demo set, composed once."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo_set(folder)
    return folder


@pytest.fixture(scope="session")
def demo_faces(demo_set: Path) -> list[LabelledImage]:
    """The labelled evaluation half of the demo set."""
    return read_labels(demo_set / "evaluation" / "label.txt", demo_set / "evaluation" / "images")


@dataclass(frozen=True)
class Converted:
    """The embedded checkpoint at 96x128, converted once for all tests that look at it."""

    spec: DetectorSpec
    onnx: Path
    float32: Path
    photographs: list[Pixels]


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory, demo_faces: list[LabelledImage]) -> Converted:
    """A rectangle, so that height and width cannot be mistaken for one another."""
    from calibration_data.images import load_rgb
    from convert.conversion import convert_to
    from convert.doors.checkpoint import open_checkpoint

    opened = open_checkpoint(EMBEDDED, "featherface_v2", "96x128")
    spec = opened.spec
    folder = tmp_path_factory.mktemp("converted")
    photographs = [letterbox(load_rgb(face.path), spec)[0] for face in demo_faces[:8]]
    onnx = folder / "featherface_v2_96x128.onnx"
    float32 = folder / "featherface_v2_96x128_float32.tflite"
    convert_to(opened, photographs, onnx, float32)
    return Converted(spec, onnx, float32, photographs)


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded, so that a failure comes back."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> Iterator[None]:
    """One thread a process: results do not depend on the machine, and workers do not fight."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)
    yield

"""What several test packages need: shared photographs, demo pictures, one converted V2."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from calibration_data.demo import write_demo_set
from calibration_data.readers import LabelledImage, read_labels
from model.foundation.artifact import sha256_of_all
from model.foundation.cache import filling
from model.geometry.letterbox import Pixels, letterbox
from model.geometry.spec import DetectorSpec

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
EMBEDDED = ROOT / "model" / "weights" / "featherface_v2.pth"
KEPT = ROOT / "build" / "tests"
"""What takes long to make and no test changes: made once for all workers and runs."""


def kept(name: str, sources: Iterable[str], make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills, unless one was made by the same program; tests only read it.

    Args:
        name: Of the folder.
        sources: Folders and files of the repository whose code decides what is in it.
        make: Gets an empty folder.
    """
    places = [ROOT / source for source in sources]
    code = [path for place in places for path in ([place] if place.is_file() else place.rglob("*.py"))]
    folder = KEPT / f"{name}-{sha256_of_all([*code, ROOT / 'requirements.lock', EMBEDDED])[:16]}"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for older in KEPT.glob(f"{name}-*"):
                shutil.rmtree(older)
            with filling(folder) as temporary:
                make(temporary)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Checkpoints, photographs and goldens that are no part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs the photographs and checkpoints of ../shared")
    return SHARED


@pytest.fixture(scope="session")
def demo_set() -> Path:
    """The embedded demo set, composed once."""
    return kept("demo", ("calibration_data",), write_demo_set)


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
def converted(demo_faces: list[LabelledImage]) -> Converted:
    """A rectangle, so that height and width cannot be mistaken for one another."""
    from calibration_data.images import load_rgb
    from convert.conversion import convert_to
    from convert.doors.checkpoint import open_checkpoint

    opened = open_checkpoint(EMBEDDED, "featherface_v2", "96x128")
    photographs = [letterbox(load_rgb(face.path), opened.spec)[0] for face in demo_faces[:8]]
    onnx, float32 = "featherface_v2_96x128.onnx", "featherface_v2_96x128_float32.tflite"

    def make(folder: Path) -> None:
        convert_to(opened, photographs, folder / onnx, folder / float32)

    folder = kept("converted", ("calibration_data", "model", "convert"), make)
    return Converted(opened.spec, folder / onnx, folder / float32, photographs)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first: begun last, one would keep a worker when all others rest."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])

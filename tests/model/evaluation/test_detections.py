"""Detections of a set: over processes, resumed where they were stopped, of one model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration_data.image_set import ImageSet
from model.evaluation import detections as detections_module
from model.evaluation.detections import DetectionJob, detect_all
from model.evaluation.protocol import InputProtocol
from model.foundation.errors import InputError
from model.foundation.workers import Workers
from model.geometry.boxes import Detections
from model.runtime.running import RunningModel
from tests.conftest import Converted


def same(one: Detections, other: Detections) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("boxes_xyxy", "scores", "landmarks")
    )


def job(converted: Converted, demo_set: Path, **changes: Any) -> DetectionJob:
    half = demo_set / "evaluation"
    images = ImageSet.read(half / "images", half / "label.txt").sample(6, 0).images
    return replace(DetectionJob(converted.float32, None, images, cache=None), **changes)


def test_processes_change_nothing(converted: Converted, demo_set: Path) -> None:
    alone = detect_all(job(converted, demo_set), quiet=True)
    together = detect_all(job(converted, demo_set, workers=Workers(2)), quiet=True)
    assert list(alone) == list(together)
    assert all(same(alone[name].found, together[name].found) for name in alone)
    assert any(len(one.found) for one in alone.values())


def test_a_stopped_run_goes_on(
    converted: Converted, demo_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = job(converted, demo_set, cache=tmp_path)
    expected = detect_all(replace(whole, cache=None), quiet=True)
    detect_all(replace(whole, images=dict(list(whole.images.items())[:4])), quiet=True)
    (store,) = tmp_path.glob("*.jsonl")
    lines = store.read_bytes().splitlines(keepends=True)
    store.write_bytes(
        b"".join(lines[:3]) + lines[3][: len(lines[3]) // 2]
    )  # killed in the middle of the fourth
    ran: list[Path] = []
    original = detections_module.detect_file

    def counting(running: RunningModel, path: Path, how: InputProtocol) -> Any:
        ran.append(path)
        return original(running, path, how)

    monkeypatch.setattr(detections_module, "detect_file", counting)
    resumed = detect_all(whole, quiet=True)
    assert ran == list(whole.images.values())[3:]
    assert all(same(resumed[name].found, expected[name].found) for name in expected)
    ran.clear()
    detect_all(whole, quiet=True)
    assert ran == []
    detect_all(replace(whole, protocol=InputProtocol(score_floor=0.5)), quiet=True)
    assert len(ran) == 6, "another protocol begins anew"


def test_a_model_replaced_meanwhile_is_refused(converted: Converted, demo_set: Path) -> None:
    with pytest.raises(InputError, match="was replaced while it was evaluated"):
        detect_all(job(converted, demo_set, images={}, sha256="0" * 64), quiet=True)

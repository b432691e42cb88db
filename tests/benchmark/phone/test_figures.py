"""What the demo app found on a phone, as this side reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.devices.app_result import AppFace, AppImage, AppModel, AppResult, AppVersion
from benchmark.errors import DeviceError
from benchmark.phone.figures import phone_detections


def answered(*images: AppImage) -> AppResult:
    return AppResult(AppVersion(), AppModel(()), 1.0, 1.0, images=images)


def test_detections_of_the_phone_by_image_name():
    entry = AppImage("images/set/deep/a.jpg", 10, 20, None, [AppFace((1, 2, 3, 4), 0.9, [(1, 1)] * 5)])
    empty = AppImage("images/set/b.jpg", 10, 20, None)
    images = {"deep/a.jpg": Path("a"), "b.jpg": Path("b")}
    found = phone_detections(answered(entry, empty), images)
    assert found["deep/a.jpg"].found.boxes_xyxy.tolist() == [[1, 2, 3, 4]]
    assert (found["b.jpg"].height, found["b.jpg"].width, len(found["b.jpg"].found)) == (10, 20, 0)
    with pytest.raises(DeviceError, match=r"left out 1 of 2 images, first b\.jpg"):
        phone_detections(answered(entry), images)
    with pytest.raises(DeviceError, match=r"could not use b\.jpg: cannot be decoded"):
        phone_detections(answered(entry, replace(empty, error="cannot be decoded")), images)

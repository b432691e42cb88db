from __future__ import annotations

import pytest

from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec, parse_size
from model.networks import NETWORKS, spec_of


@pytest.mark.parametrize("name", NETWORKS)
def test_json_round_trip(name: str) -> None:
    spec = spec_of(name, 480, 640)
    assert DetectorSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("text", "size"), [("320", (320, 320)), ("480x640", (480, 640)), ("64X32", (64, 32)), ("0", (0, 0))]
)
def test_sizes_are_height_times_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "320x", "-32", "3.2", "320x320x3", "²"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a size is"):
        parse_size(text)


@pytest.mark.parametrize(("height", "width"), [(0, 320), (321, 320), (64, 99999), (320, 16), (-32, 32)])
def test_sides_that_no_anchor_grid_fits_are_refused(height: int, width: int) -> None:
    with pytest.raises(InputError, match="multiple of 32"):
        DetectorSpec("featherface_v2", height, width)


def test_unknown_and_missing_fields_are_named() -> None:
    value = DetectorSpec("featherface_v2", 320, 320).to_json()
    with pytest.raises(InputError, match="colour"):
        DetectorSpec.from_json({**value, "colour": "red"})
    del value["network"]
    with pytest.raises(InputError, match="network"):
        DetectorSpec.from_json(value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variances", ["<script>", 1]), ("input_height", "320"), ("strides", []), ("strides", [0, 32]),
        ("network", "../../x"), ("nms_iou", -1.0), ("max_detections", 0), ("channel_order", 3),
        ("decoder", []), ("mean", None),
    ],
)  # fmt: skip
def test_a_field_of_another_kind_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError):
        DetectorSpec.from_json({**DetectorSpec("featherface_v2", 320, 320).to_json(), field: value})


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"network": NaN}', "\ufffd"])
def test_a_text_that_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        DetectorSpec.from_text(text)


def test_anchor_count_of_a_rectangle() -> None:
    # 60 x 80 + 30 x 40 + 15 x 20 cells, two anchors each
    assert DetectorSpec("featherface_v2", 480, 640).anchor_count == 2 * (4800 + 1200 + 300)

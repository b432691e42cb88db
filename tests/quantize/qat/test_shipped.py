"""The fine-tuned weights that ship belong to the float weights that ship."""

from __future__ import annotations

import pytest

from model.artifact import Artifact, read_json, sha256_of
from model.checkpoint import load_checkpoint
from quantize.ranges import read_ranges
from tests.conftest import EMBEDDED

SHIPPED = EMBEDDED.with_name("featherface_v2_qat.pth")


@pytest.fixture(scope="module", autouse=True)
def _shipped() -> None:
    if not SHIPPED.is_file():
        pytest.skip("no weights trained with fake quantization ship: the post-training file is used")


def test_they_were_trained_from_the_shipped_float_weights() -> None:
    record = Artifact.load(SHIPPED).record
    assert record["sha256"] == sha256_of(SHIPPED)
    assert record["made_from"]["checkpoint"]["sha256"] == sha256_of(EMBEDDED), "run 'make qat' and ship anew"
    assert "fake_quantization" in record


def test_ranges_are_theirs_and_they_load() -> None:
    ranges = SHIPPED.with_name("featherface_v2_qat_ranges.json")
    assert set(read_json(ranges)["sizes"]) == {"320x320", "640x640"}
    learned, _ = read_ranges(ranges, sha256_of(SHIPPED), 320, 320)
    assert learned["image"].low == 0
    assert learned["image"].high == 255
    load_checkpoint(SHIPPED, "featherface_v2")

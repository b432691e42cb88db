"""The mirror as QDQ ONNX."""

from __future__ import annotations

from pathlib import Path

from convert.difference import measure_difference
from model.runtime.running import open_model
from quantize.qat.qdq import export_qdq, supports
from tests.conftest import Converted
from tests.quantize.qat.conftest import Integers


def test_onnx_runtime_finds_the_same_faces(integers: Integers, converted: Converted, tmp_path: Path) -> None:
    mirror, output = integers.mirror(), tmp_path / "qdq.onnx"
    assert supports(mirror)
    running = open_model(integers.file)
    facts = export_qdq(mirror, converted.spec, output, lambda x: running.run(x).values, converted.photographs)
    parity = facts["parity"]
    assert parity["faces"] == parity["faces_kept"] == parity["faces_found"] > 0
    float32 = open_model(converted.float32)
    integer = open_model(output)
    against_float = measure_difference(
        lambda x: float32.run(x).values,
        lambda x: integer.run(x).values,
        converted.photographs,
        converted.spec,
    )
    boxes = against_float.outputs["boxes"].sqnr_db
    assert boxes is not None
    assert 5 < boxes < 40  # 8 bits, not float32 under another name

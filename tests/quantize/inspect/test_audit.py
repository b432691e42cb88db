"""What `audit` says of files whose content is known, because it was planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model.foundation.artifact import Artifact
from model.foundation.errors import GateError, InputError
from model.parameters import summarize
from quantize.__main__ import main
from quantize.inspect.audit import audit
from quantize.inspect.figures import FIGURES, parse_requirements, require
from tests.conftest import Converted
from tests.small_tflite import SmallModel

KNOWN = dict.fromkeys(FIGURES, 0.0)


def _with_island(folder: Path) -> Path:
    """conv (4x4, 2 -> 3) in int8, LeakyReLU in float, conv (3 -> 5) in int8."""
    rng, small = np.random.default_rng(0), SmallModel()
    entry = small.tensor("image", "int8", [1, 4, 4, 2], 0.5, -128)
    first = small.conv("stem", entry, 3, rng)
    plain, leaky = (small.tensor(name, "float32", [1, 4, 4, 3]) for name in ("stem_float", "stem/leaky"))
    small.add("DEQUANTIZE", [first], [plain])
    small.add("LEAKY_RELU", [plain], [leaky], alpha=0.1)
    again = small.tensor("stem/leaky_int8", "int8", [1, 4, 4, 3], 0.1)
    small.add("QUANTIZE", [leaky], [again])
    last = small.conv("head", again, 5, rng)
    return small.write(folder / "island.tflite", [entry], [last])


def _with_joined_outputs(folder: Path) -> Path:
    """Boxes and scores joined in one int8 tensor and cut apart again; landmarks for themselves."""
    rng, small = np.random.default_rng(0), SmallModel()
    entry = small.tensor("image", "int8", [1, 4, 4, 2], 0.5, -128)
    parts = [small.conv(name, entry, 4, rng) for name in ("boxes_head", "scores_head")]
    joined = small.tensor("joined", "int8", [1, 4, 4, 8], 0.1)
    small.add("CONCATENATION", parts, [joined], axis=3)
    axis = small.constant("axis", np.array(3, np.int32))
    boxes, scores = (small.tensor(name, "int8", [1, 4, 4, 4], 0.1) for name in ("boxes", "scores"))
    small.add("SPLIT", [axis, joined], [boxes, scores], numSplits=2)
    return small.write(
        folder / "joined.tflite", [entry], [boxes, scores, small.conv("landmarks", entry, 2, rng)]
    )


def test_a_planted_island_is_found_with_its_names_and_its_ways_in_and_out(tmp_path: Path) -> None:
    found = audit(_with_island(tmp_path))
    (island,) = found.islands
    assert (island.place, island.layers) == ("between", ("stem/leaky",))
    assert (island.entered_at, island.left_at) == (("stem",), ("stem/leaky_int8",))
    figures = found.figures
    assert (figures["islands"], figures["conversions"], figures["tails"]) == (1, 2, 0)
    assert figures["int8_macs"] == 1.0
    assert [one.macs for one in found.operators] == [16 * 2 * 3, 0, 0, 0, 16 * 3 * 5]
    assert figures["int8_operators"] == 2 / 5
    assert found.constants == {"int8": 6 + 15, "int32": 4 * 8}


def test_outputs_cut_from_one_integer_tensor_share_its_scale(tmp_path: Path) -> None:
    found = audit(_with_joined_outputs(tmp_path))
    assert [one.own_scale for one in found.outputs] == [False, False, True]
    assert found.figures["outputs"] == 2


def test_the_runtime_is_asked_what_its_delegate_takes(tmp_path: Path) -> None:
    """A LeakyReLU in float goes to XNNPACK; an int32 remainder has no kernel there."""
    small = SmallModel()
    entry = small.tensor("image", "float32", [1, 2, 2, 1])
    leaky = small.tensor("leaky", "float32", [1, 2, 2, 1])
    small.add("LEAKY_RELU", [entry], [leaky], alpha=0.1)
    other = small.tensor("numbers", "int32", [4])
    rest = small.tensor("rest", "int32", [4])
    small.add("FLOOR_MOD", [other, small.constant("three", np.full(4, 3, np.int32))], [rest])
    found = audit(small.write(tmp_path / "mixed.tflite", [entry, other], [leaky, rest]))
    assert {one.layer: one.xnnpack for one in found.operators} == {"leaky": True, "rest": False}
    assert found.figures["xnnpack_operators"] == 0.5
    assert {one.layer: one.arithmetic for one in found.operators} == {
        "leaky": "float32",
        "rest": "index",
    }
    assert found.islands == ()  # without an integer operator there is nothing that could be interrupted


def test_the_converted_file_has_the_networks_multiply_accumulates(converted: Converted) -> None:
    """Counted by PyTorch's own counter on the network; the file's heads run on the same cells."""
    found = audit(converted.float32)
    whole = summarize("featherface_v2", 96, 128).parts[-1]
    assert sum(one.macs for one in found.operators) == whole.macs
    assert (found.figures["float32_macs"], found.figures["int8_macs"]) == (1, 0)
    for figure in ("builtin", "signature", "metadata", "hashes"):
        assert found.figures[figure] == 1, figure
    assert found.figures["xnnpack_macs"] == 1
    assert found.identity.made_from["onnx"] == "verified"


def test_a_file_without_any_of_ours_is_audited_too(tmp_path: Path) -> None:
    found = audit(_with_island(tmp_path))
    assert (found.identity.signatures, found.identity.record) == ((), "absent")
    assert [found.figures[name] for name in ("signature", "metadata", "hashes", "builtin")] == [0, 0, 0, 1]


def test_float_arithmetic_on_small_weights_is_told_from_integers(tmp_path: Path) -> None:
    """Products on int8 weights (dynamic range), on float16 weights behind a DEQUANTIZE, on float32 ones."""
    small = SmallModel()
    entry = small.tensor("x", "float32", [1, 8])
    names = ("on_int8", "on_halves", "on_floats")
    results = [small.tensor(name, "float32", [1, size]) for name, size in zip(names, (2, 3, 5), strict=True)]
    integers = small.constant("w8", np.ones((2, 8), np.int8), [0.1])
    small.add("FULLY_CONNECTED", [entry, integers], [results[0]])
    unpacked = small.tensor("w16_dequant", "float32", [3, 8])
    small.add("DEQUANTIZE", [small.constant("w16", np.ones((3, 8), np.float16))], [unpacked])
    small.add("FULLY_CONNECTED", [entry, unpacked], [results[1]])
    small.add("FULLY_CONNECTED", [entry, small.constant("w32", np.ones((5, 8), np.float32))], [results[2]])
    found = audit(small.write(tmp_path / "small.tflite", [entry], results))
    kinds = {one.layer: one.arithmetic for one in found.operators}
    assert kinds == {
        "on_int8": "int8_weights",
        "w16_dequant": "unpacking",
        "on_halves": "float16",
        "on_floats": "float32",
    }
    shares = {name: found.figures[f"{name}_macs"] for name in ("int8", "int8_weights", "float16", "float32")}
    assert shares == {"int8": 0, "int8_weights": 0.2, "float16": 0.3, "float32": 0.5}
    assert found.constants == {"float32": 160, "float16": 48, "int8": 16}
    assert (found.figures["conversions"], found.islands) == (0, ())


def test_a_custom_operator_is_told_though_the_runtime_cannot_prepare_the_file(tmp_path: Path) -> None:
    small = SmallModel()
    entry, result = (small.tensor(name, "float32", [1, 8]) for name in ("x", "y"))
    small.add("CUSTOM", [entry], [result])
    small.model.operatorCodes[0].customCode = "FlexErf"
    found = audit(small.write(tmp_path / "custom.tflite", [entry], [result]))
    assert found.not_builtin == ("CUSTOM:FlexErf",)
    assert found.figures["builtin"] == 0
    assert found.runtime_problem is not None
    assert "FlexErf" in found.runtime_problem or "custom" in found.runtime_problem.lower()
    assert main(["audit", str(tmp_path / "custom.tflite"), "--require", "builtin==1"]) == 1


def test_origins_are_found_where_they_stood(tmp_path: Path) -> None:
    """As make lays them: the checkpoint and the recipe far away, the ranges in a folder below."""
    path = _with_island(tmp_path)
    (tmp_path / "net_320x320").mkdir()
    far = tmp_path.parent / f"{tmp_path.name}_weights.pth"
    sources = {"checkpoint": far, "ranges": tmp_path / "net_320x320" / "ranges.json"}
    for source in sources.values():
        source.write_bytes(b"before")
    Artifact.save(path, sources=sources)
    assert audit(path).identity.made_from == {"checkpoint": "verified", "ranges": "verified"}
    far.write_bytes(b"after")
    sources["ranges"].unlink()
    assert audit(path).identity.made_from == {"checkpoint": "differs", "ranges": "not here"}
    far.unlink()


def test_a_record_of_another_file_and_a_changed_source_are_seen(tmp_path: Path) -> None:
    path = _with_island(tmp_path)
    source = tmp_path / "source.bin"
    source.write_bytes(b"before")
    Artifact.save(path, sources={"checkpoint": source})
    assert audit(path).figures["hashes"] == 1
    source.write_bytes(b"after")
    assert audit(path).identity.made_from == {"checkpoint": "differs"}
    assert audit(path).figures["hashes"] == 0
    path.write_bytes(_with_joined_outputs(tmp_path).read_bytes())
    assert audit(path).identity.record == "of another file"
    Artifact.record_path(path).write_text("{")
    assert audit(path).identity.record == "unreadable"


@pytest.mark.parametrize("kept", [0, 7, 60, 500])
def test_a_truncated_file_is_refused_in_one_line(
    tmp_path: Path, kept: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _with_island(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    assert main(["audit", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.tflite"
    other.write_text("<html>no model here</html>")
    for path in (other, tmp_path, tmp_path / "absent.tflite"):
        assert main(["audit", str(path)]) == 2


def test_the_gate_is_an_exit_code_and_the_json_holds_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, written = _with_island(tmp_path), tmp_path / "audit.json"
    assert main(["audit", str(path), "--require", "int8_macs>=90%, islands<=1", "--json", str(written)]) == 0
    (value,) = json.loads(written.read_text())["audits"]
    assert value["figures"]["islands"] == 1
    assert {one["layer"] for one in value["operators"]} >= {"stem", "head"}
    capsys.readouterr()
    assert main(["audit", str(path), "--require", "outputs>=3,islands<=0,int8_macs>0.5"]) == 1
    error = capsys.readouterr().err
    assert "outputs>=3 (found 1)" in error
    assert "islands<=0 (found 1)" in error
    assert "int8_macs" not in error


def test_several_files_are_looked_at_and_the_one_that_misses_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, written = _with_island(tmp_path), tmp_path / "audits.json"
    again = path.with_name("again.tflite")
    again.write_bytes(path.read_bytes())
    assert main(["audit", str(path), str(again), "--json", str(written)]) == 0
    assert [one["file"] for one in json.loads(written.read_text())["audits"]] == [path.name, again.name]
    assert main(["audit", str(again), str(path), "--require", "islands<=0"]) == 1
    shown = capsys.readouterr()
    assert path.name in shown.out
    assert "gate failed: again.tflite" in shown.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "expected FIGURE>=NUMBER"),
        ("int8_macs", "expected FIGURE>=NUMBER"),
        ("int8_macs=>0.9", "expected FIGURE>=NUMBER"),
        ("int8_macs>=0.9,", "expected FIGURE>=NUMBER"),
        ("int8_macs>=nan", "expected FIGURE>=NUMBER"),
        ("int8_mac>=0.9", "int8_macs"),
        ("xyz==1", "there is no figure 'xyz'"),
    ],
)
def test_a_line_that_is_no_comparison_is_refused(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_requirements(line)


@pytest.mark.parametrize(
    ("line", "value", "holds"),
    [
        ("int8_macs>=0.9", 0.9, True),
        ("int8_macs>=90%", 0.9, True),
        ("int8_macs>0.9", 0.9, False),
        ("int8_macs<0.9", 1 - 0.1 - 1e-12, False),
        ("int8_macs==1", 1.0, True),
        ("int8_macs!=1", 1.0, False),
        ("int8_macs<=.5", 0.51, False),
    ],
)
def test_comparisons(line: str, value: float, holds: bool) -> None:
    requirements = parse_requirements(line)
    if holds:
        require(requirements, {**KNOWN, "int8_macs": value}, "file")
    else:
        with pytest.raises(GateError, match="int8_macs"):
            require(requirements, {**KNOWN, "int8_macs": value}, "file")

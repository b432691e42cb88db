"""The page's JavaScript, run by node, against the goldens that Kotlin shares and against Python."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.evaluation.face_changes import compare_faces
from model.geometry.boxes import Detections, detect
from model.geometry.decoders import DECODERS
from model.geometry.outputs import joined
from model.geometry.spec import SPEC_METADATA, DetectorSpec
from model.runtime.flatbuffer import put_metadata, write_model
from model.runtime.interpreter import TensorInfo
from tests.conftest import ROOT
from tests.small_tflite import SmallModel

GOLDEN = ROOT / "tests" / "golden"
NAMES = sorted(path.name.removesuffix(".bin.gz") for path in GOLDEN.glob("*.bin.gz"))
VARIANTS = [f"{name}:{variant}" for name in DECODERS if name != "own" for variant in DECODERS[name].variants]
Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def ask(node: str) -> Iterator[Ask]:
    """Ask the page's modules; `problem` is the line that the page would show."""
    command = [node, str(Path(__file__).with_name("replay.mjs"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def asked(question: str, **details: Any) -> Any:
            questions.write(json.dumps({"ask": question, **details}) + "\n")
            questions.flush()
            answer = json.loads(answers.readline())
            assert "bug" not in answer, answer
            return answer

        yield asked


def _tensor(name: str, values: NDArray[Any], scale: float = 0, zero_point: int = 0) -> dict[str, Any]:
    data = base64.b64encode(values.tobytes()).decode()
    kept = {"name": name, "type": values.dtype.name, "shape": list(values.shape)}
    return {**kept, "data": data, "scale": scale, "zero_point": zero_point}


def _golden(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    told = json.loads((GOLDEN / f"{name}.json").read_text())
    payload, start, tensors = gzip.decompress((GOLDEN / f"{name}.bin.gz").read_bytes()), 0, []
    for one in told["tensors"]:
        values = np.frombuffer(payload, one["type"], int(np.prod(one["shape"])), start).reshape(one["shape"])
        start += values.nbytes
        scale = 0 if one["type"] == "float32" else one["scale"]
        tensors.append(_tensor(one["name"], values, scale, one["zero_point"]))
    return told, tensors


def _same(found: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]], pixels: float = 1e-3) -> None:
    assert len(found) == len(expected)
    for one, golden in zip(found, expected, strict=True):
        assert one["score"] == pytest.approx(golden["score"], abs=1e-6)
        assert one["box"] == pytest.approx(golden["box_xyxy"], abs=pixels)
        assert np.asarray(one["landmarks"]) == pytest.approx(np.asarray(golden["landmarks_xy"]), abs=pixels)


@pytest.mark.parametrize("name", NAMES)
def test_the_faces_of_the_goldens(ask: Ask, name: str) -> None:
    told, tensors = _golden(name)
    spec, (height, width) = told["spec"], told["image_hw"]
    question = {"spec": spec, "tensors": tensors, "threshold": spec["score_threshold"]}
    _same(ask("detect", **question, scale=1)["answer"], told["input_pixels"])
    scale = min(spec["input_height"] / height, spec["input_width"] / width)
    _same(ask("detect", **question, scale=scale)["answer"], told["image_pixels"])


def test_there_are_goldens() -> None:
    assert len(NAMES) >= 4
    assert len(VARIANTS) >= 10


def _pattern(width: int, height: int) -> NDArray[np.uint8]:
    """RGBA [height, width, 4] of the goldens' picture: (7x + 13y + 29c + xy) mod 256, opaque."""
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(4), indexing="ij")
    rgba = ((7 * x + 13 * y + 29 * channel + x * y) % 256).astype(np.uint8)
    rgba[..., 3] = 255
    return rgba


CASES = json.loads((GOLDEN / "letterbox.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['width']}x{case['height']}")
def test_the_pixels_of_opencv(ask: Ask, case: dict[str, Any]) -> None:
    image = base64.b64encode(_pattern(case["width"], case["height"]).tobytes()).decode()
    size = {"width": case["width"], "height": case["height"]}
    answer = ask("letterbox", spec=case["spec"], image=image, **size)["answer"]
    expected = np.frombuffer(zlib.decompress(base64.b64decode(case["canvas"])), np.uint8).astype(int)
    found = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)
    assert answer["scale"] == pytest.approx(case["scale"], abs=1e-12)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1


def _random_outputs(spec: DetectorSpec, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    boxes, scores, landmarks = (rng.normal(0, 1, shape).astype(np.float32) for shape in spec.output_shapes)
    return [boxes, (1 / (1 + np.exp(-scores))).astype(np.float32), landmarks]


@pytest.mark.parametrize("decoder", VARIANTS)
def test_every_decoder_of_python_is_there_and_decodes_alike(
    ask: Ask, decoder: str, rng: np.random.Generator
) -> None:
    # A rectangle and two anchors a cell: no order of cells can be mistaken for another.
    spec = DetectorSpec("random", 64, 96, decoder=decoder, points=3, score_threshold=0.3, max_detections=40)
    outputs = _random_outputs(spec, rng)
    found = detect(*outputs, spec)
    assert len(found) > 10
    tensors = [_tensor(name, one) for name, one in zip(spec.output_names, outputs, strict=True)]
    answer = ask("detect", spec=spec.to_json(), tensors=tensors, threshold=0.3, scale=1)["answer"]
    expected = [
        {"box_xyxy": box, "score": score, "landmarks_xy": points}
        for box, score, points in zip(found.boxes_xyxy, found.scores, found.landmarks, strict=True)
    ]
    _same(answer, expected, pixels=2e-3)


def test_outputs_that_a_file_cuts_its_own_way(ask: Ask, rng: np.random.Generator) -> None:
    plain = DetectorSpec("cut", 64, 64, decoder="cell_sizes", points=0, anchor_sizes=((8,), (8,), (8,)))
    spec = replace(
        plain,
        boxes_from=("all.T[0:4]", "late"), scores_from=("classes",), objectness_from=("all.T[4:5]", "rest"),
    )  # fmt: skip
    early, n = 64, spec.anchor_count
    arrays = {
        "all": rng.uniform(0, 1, (1, 5, 8, 8)).astype(np.float32),
        "late": rng.uniform(0, 1, (1, n - early, 4)).astype(np.float32),
        "rest": rng.uniform(0, 1, (1, n - early, 1)).astype(np.float32),
        "classes": rng.uniform(0, 1, (1, n, 1)).astype(np.float32),
    }
    found = detect(*joined(arrays, spec), spec, 0.3)
    assert len(found) > 10
    tensors = [_tensor(name, one) for name, one in arrays.items()]
    answer = ask("detect", spec=spec.to_json(), tensors=tensors, threshold=0.3, scale=1)["answer"]
    boxes = np.asarray([one["box"] for one in answer])
    assert boxes == pytest.approx(found.boxes_xyxy, abs=1e-3)


SPEC = DetectorSpec("small", 32, 32)


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"decoder": "crystal_ball"}, "cannot decode 'crystal_ball'"),
        ({"decoder": "../spec"}, "cannot decode '../spec'"),
        ({"decoder": "anchor_offsets:cubic"}, "no variant 'cubic': expected one of logarithm, plain"),
        ({"strides": None}, "missing field(s) in the detector spec: strides"),
        ({"input_height": 33}, "multiple of 32"),
        ({"scores_from": ["probability"]}, "the spec names an output 'probability'; the file has boxes"),
        ({"classes": ["cat", "dog"]}, "detectors of one class; the model names its score columns: cat, dog"),
        ({"objectness_from": ["scores"]}, "an objectness for cell_sizes only"),
        ({"boxes_from": ["boxes|boxes"]}, "no outputs side by side"),
        ({"score_channels": 3}, "output scores: the spec expects [42, 3], found [42, 2]"),
    ],
)
def test_a_spec_that_cannot_be_used_is_one_clear_line(
    ask: Ask, changed: dict[str, Any], because: str, rng: np.random.Generator
) -> None:
    spec = {name: value for name, value in {**SPEC.to_json(), **changed}.items() if value is not None}
    outputs = zip(SPEC.output_names, _random_outputs(SPEC, rng), strict=True)
    tensors = [_tensor(name, values) for name, values in outputs]
    problem = ask("detect", spec=spec, tensors=tensors, threshold=0.5, scale=1)["problem"]
    assert because in problem
    assert "\n" not in problem


def test_outputs_that_are_no_numbers_are_refused(ask: Ask, rng: np.random.Generator) -> None:
    outputs = _random_outputs(SPEC, rng)
    outputs[2][0, 5, 1] = np.nan
    tensors = [_tensor(name, one) for name, one in zip(SPEC.output_names, outputs, strict=True)]
    problem = ask("detect", spec=SPEC.to_json(), tensors=tensors, threshold=0.5, scale=1)["problem"]
    assert problem == "output landmarks holds NaN or infinite values"


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    """Written by the schema's own code: two quantized outputs, a float one, a spec."""
    small = SmallModel()
    graph = small.graph
    graph.inputs = [small.tensor("image", "uint8", [1, 32, 32, 3], 1.0)]
    outputs = [("boxes", "int8", 0.046771, 5), ("scores", "int8", 0.00390625, -128)]
    graph.outputs = [small.tensor(name, kind, [1, 42, 4], scale, zero) for name, kind, scale, zero in outputs]
    graph.outputs.append(small.tensor("landmarks", "float32", [1, 42, 10]))
    put_metadata(small.model, "something_else", "{}")
    put_metadata(small.model, SPEC_METADATA, json.dumps(SPEC.to_json()))
    path = tmp_path / "small.tflite"
    write_model(small.model, path)
    return path


def test_what_a_tflite_file_says_of_itself(ask: Ask, small_file: Path) -> None:
    answer = ask("read", file=str(small_file))["answer"]
    assert DetectorSpec.from_json(json.loads(answer["specJson"])) == SPEC
    assert answer["input"] == {"scale": 1, "zeroPoint": 0}
    assert answer["outputs"] == [
        ["boxes", {"scale": float(np.float32(0.046771)), "zeroPoint": 5}],
        ["scores", {"scale": 0.00390625, "zeroPoint": -128}],
        ["landmarks", {"scale": 0, "zeroPoint": 0}],
    ]


def test_files_that_are_none_or_cut_off_are_refused(ask: Ask, small_file: Path, tmp_path: Path) -> None:
    whole = small_file.read_bytes()
    broken = tmp_path / "broken.tflite"
    for content, because in [(b"", "not a TFLite file"), (b"PK\3\4" * 9, "not a TFLite file")]:
        broken.write_bytes(content)
        assert because in ask("read", file=str(broken))["problem"]
    broken.write_bytes(whole[: len(whole) // 3])
    assert "tables point outside" in ask("read", file=str(broken))["problem"]


@pytest.mark.parametrize(
    ("kind", "scale", "zero"), [("uint8", 1.0, 0), ("int8", 1.0, -128), ("int8", 2.0, 0), ("uint8", 0.5, 3)]
)
def test_pixels_are_stored_as_python_stores_them(ask: Ask, kind: str, scale: float, zero: int) -> None:
    pixels = np.arange(256, dtype=np.uint8)
    expected = TensorInfo(0, "image", (256,), np.dtype(kind).type, scale, zero).stored(pixels)
    answer = ask("store", pixels=pixels.tolist(), type=kind, scale=scale, zeroPoint=zero)["answer"]
    assert answer == expected.tolist()


def _detections(boxes: NDArray[np.float32]) -> Detections:
    return Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.zeros((len(boxes), 1, 2), np.float32))


def test_lost_and_gained_faces_are_counted_as_by_drift(ask: Ask, rng: np.random.Generator) -> None:
    corner = rng.uniform(0, 300, (12, 2))
    reference = np.hstack([corner, corner + rng.uniform(20, 60, (12, 2))]).astype(np.float32)
    moved = reference[:9] + rng.normal(0, 4, (9, 4)).astype(np.float32)
    candidate = np.vstack([moved, reference[10:11] + 200]).astype(np.float32)
    expected = compare_faces(_detections(reference), _detections(candidate))
    answer = ask(
        "compare",
        reference=[{"box": box} for box in reference.tolist()],
        candidate=[{"box": box} for box in candidate.tolist()],
    )["answer"]
    assert (answer["lost"], answer["gained"]) == (len(expected.lost), len(expected.gained))
    assert answer["iou"] == pytest.approx(expected.iou.mean(), abs=1e-4)
    assert len(expected.lost) >= 2


def test_nothing_compared_with_nothing(ask: Ask) -> None:
    assert ask("compare", reference=[], candidate=[])["answer"] == {"lost": 0, "gained": 0, "iou": None}


def test_times_are_the_median_of_the_last_thirty(ask: Ask) -> None:
    assert ask("median", milliseconds=[])["answer"] == {"median": None, "isFull": False}
    times = [1000.0] * 5 + [float(one) for one in range(30)]
    assert ask("median", milliseconds=times)["answer"] == {"median": 14.5, "isFull": True}

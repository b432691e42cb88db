"""Models on labelled sets: protocols, processes, resumption, drift and hashes, on the embedded network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmark.__main__ import main
from benchmark.accuracy.bit_exact import output_hash
from benchmark.accuracy.bootstrap import paired_difference, resampled_images
from benchmark.accuracy.evaluation import Evaluation, HeightRecall
from benchmark.accuracy.tables import accuracy
from benchmark.commands import COMMANDS
from calibration_data.image_set import ImageSet
from calibration_data.images import load_rgb
from model.evaluation import detections as detections_module
from model.evaluation.average_precision import Truth, match
from model.evaluation.detections import DetectionJob, detect_all
from model.evaluation.face_changes import compare_faces
from model.evaluation.protocol import InputProtocol, detect_image
from model.foundation.errors import InputError
from model.foundation.records import from_json, read_record, to_json
from model.geometry.boxes import Detections, iou_matrix
from model.networks.registry import spec_of
from model.runtime.running import RawOutputs, RunningModel, open_model
from tests.conftest import EMBEDDED, Converted


def same(one: Detections, other: Detections) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("boxes_xyxy", "scores", "landmarks")
    )


@pytest.fixture
def options(demo_set: Path, tmp_path: Path) -> list[str]:
    half = demo_set / "evaluation"
    return [
        "--images", str(half / "images"), "--labels", str(half / "label.txt"),
        "--limit", "10", "--processes", "1", "--cache", str(tmp_path / "cache"), "--quiet",
    ]  # fmt: skip


def test_evaluate_agrees_between_runtimes(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(converted.float32), str(converted.onnx), str(EMBEDDED)]
    size = ["--network", "featherface_v2", "--size", "96x128"]
    output = tmp_path / "evaluations.json"
    assert main(["evaluate", "--model", *models, *options, *size, "--json", str(output)]) == 0
    found = read_record(output, dict[str, list[Evaluation]])["evaluations"]
    assert [one.model for one in found] == [Path(model).name for model in models]
    assert found[0].protocol == "letterbox to 96x128, score > 0.02, NMS IoU 0.4"
    assert found[0].images == 10
    assert found[0].faces == sum(row.faces for row in found[0].recall_by_height.values())
    aps = [one.headline for one in found]
    assert aps[0] is not None
    assert aps[0] > 0.1, "the embedded network finds faces on the demo set, tiny at 96x128"
    assert aps == pytest.approx([aps[0]] * 3, abs=2e-3)
    assert found[0].curve.recall == sorted(found[0].curve.recall)


def test_the_table_names_protocol_and_figures(
    converted: Converted, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(converted.float32), *options, "--no-resume"]) == 0
    out = capsys.readouterr().out
    for words in (
        "10 images",
        "protocol: letterbox to 96x128",
        "AP50",
        "precision",
        "recall under 16",
        "images/s",
    ):
        assert words in out


def evaluation(model: str = "m.tflite", **facts: Any) -> Evaluation:
    known: dict[str, Any] = {"model_sha256": "", "set": "s", "protocol": "p", "images": 3, "faces": 18}
    return Evaluation(model=model, **{**known, "ignored": 0, "score_threshold": 0.5, **facts})


@pytest.mark.parametrize("columns", [60, 100])
def test_the_table_cuts_no_name(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    bands = {band: HeightRecall(9, 5, 4) for band in ("under 16", "16-32")}
    one = evaluation("featherface_v2_640x640_int8_fp16.tflite", recall_by_height=bands)
    Console(width=columns).print(accuracy([one]).rich())
    lines = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert "".join(cells[1].strip() for cells in lines) == one.model


def test_a_stored_evaluation_outlives_metrics_that_come_and_go() -> None:
    figures = {"ap50": 0.5, "a_metric_that_nobody_knows": 0.25}
    stored = {**to_json(evaluation()), "metrics": figures, "a_field_of_tomorrow": [1]}
    del stored["recall_by_height"], stored["curve"]
    read = from_json(Evaluation, stored, "stored.json")
    assert read.metrics == figures
    (row,) = accuracy([read]).rows
    assert row[:3] == ("m.tflite", "50.00", "–"), "AP50:95 was not measured then"


def job(converted: Converted, demo_set: Path, **changes: Any) -> DetectionJob:
    half = demo_set / "evaluation"
    images = ImageSet.read(half / "images", half / "label.txt").sample(6, 0).images
    return replace(DetectionJob(converted.float32, None, images, cache=None), **changes)


def test_processes_change_nothing(converted: Converted, demo_set: Path) -> None:
    alone = detect_all(job(converted, demo_set), quiet=True)
    together = detect_all(job(converted, demo_set, processes=2), quiet=True)
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
    original = detections_module._detect_file

    def counting(running: RunningModel, path: Path, how: InputProtocol) -> Any:
        ran.append(path)
        return original(running, path, how)

    monkeypatch.setattr(detections_module, "_detect_file", counting)
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


def test_original_size_keeps_pixels_and_maps_back(demo_set: Path) -> None:
    model = open_model(EMBEDDED, spec_of("featherface_v2", 96, 128))
    image = load_rgb(demo_set / "evaluation" / "images" / "demo_000.png")[:250, :333]
    image = np.ascontiguousarray(image)
    once = detect_image(model, image, InputProtocol("original", score_floor=0.3))
    both = detect_image(model, image, InputProtocol("original", (0.5, 1.0), flip=True, score_floor=0.3))
    mirrored = detect_image(
        model, np.ascontiguousarray(image[:, ::-1]), InputProtocol("original", score_floor=0.3)
    )
    assert len(once)
    assert len(both) >= len(once)
    surest = once.boxes_xyxy[once.scores.argmax()][None]
    back = mirrored.boxes_xyxy[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [image.shape[1], 0, image.shape[1], 0]
    assert iou_matrix(surest, back).max() > 0.5
    assert iou_matrix(surest, both.boxes_xyxy).max() > 0.5
    assert once.boxes_xyxy.min() > -60
    assert once.boxes_xyxy.max() < 393


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fit": "stretch"}, "expected letterbox or original"),
        ({"scales": (0.5, 1.0)}, "need the protocol 'original'"),
        ({"flip": True}, "need the protocol 'original'"),
        ({"fit": "original", "scales": ()}, "expected factors"),
        ({"fit": "original", "scales": (float("nan"),)}, "expected factors"),
        ({"score_floor": 1.0}, "expected 0 to 1"),
    ],
)
def test_impossible_protocols(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        InputProtocol(**settings)


def test_original_size_needs_a_model_of_any_size(converted: Converted) -> None:
    with pytest.raises(InputError, match="runs at 96x128 only"):
        detect_image(
            open_model(converted.float32), np.zeros((64, 64, 3), np.uint8), InputProtocol("original")
        )


class _Broken(RunningModel):
    """A model whose scores are not numbers."""

    def _run(self, input_rgb: np.ndarray) -> RawOutputs:
        assert input_rgb.dtype == np.uint8
        values = [np.full(shape, np.nan, np.float32) for shape in self.spec.output_shapes]
        return RawOutputs((values[0], values[1], values[2]), (values[0], values[1], values[2]))


def test_outputs_that_are_no_numbers_are_refused() -> None:
    model = _Broken(Path("broken.tflite"), spec_of("featherface_v2", 96, 128))
    with pytest.raises(InputError, match=r"broken\.tflite: output boxes holds NaN"):
        detect_image(model, np.zeros((96, 128, 3), np.uint8), InputProtocol())


def test_a_spec_that_contradicts_its_file_is_refused(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(spec_of("featherface_v2", 128, 96).to_json()))
    assert main(["evaluate", "--model", str(converted.float32), *options, "--spec", str(spec)]) == 2
    assert "its spec says one input of shape [1, 128, 96, 3]" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--size", "97"]])
def test_bad_numbers_exit_with_2(
    options: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--model", str(EMBEDDED), "--network", "featherface_v2", "--size", "96", *options]
    assert main([*command, *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_checkpoint_does_not_say_what_it_is(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", str(EMBEDDED), *options]) == 2
    assert "give --network and --size" in capsys.readouterr().err


def test_drift_of_a_model_against_itself_is_nothing(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--reference", str(converted.float32), "--candidate", str(converted.float32)]
    assert main(["drift", *both, *options, "--resamples", "20", "--output", str(tmp_path)]) == 0
    drift = json.loads((tmp_path / "drift.json").read_text())
    assert drift["truth"] == "labels"
    assert (drift["lost"], drift["gained"], drift["moved"], drift["worst"]) == (0, 0, 0, [])
    assert all(row["difference"] in (0, None) for row in drift["rows"])


def test_drift_without_labels_draws_the_worst(
    converted: Converted, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The candidate shows half of what the reference shows: its spec drops detections."""
    import torch

    state = torch.load(EMBEDDED, weights_only=True)
    noise = torch.Generator().manual_seed(0)
    for name, value in state.items():
        if value.is_floating_point() and value.ndim == 4:
            state[name] = value + 0.15 * value.abs().mean() * torch.randn(value.shape, generator=noise)
    torch.save(state, tmp_path / "noisy.pth")
    unlabelled = [one for index, one in enumerate(options) if index not in (2, 3)]
    command = ["drift", "--reference", str(EMBEDDED), "--candidate", str(tmp_path / "noisy.pth"), *unlabelled]
    size = [
        "--network",
        "featherface_v2",
        "--size",
        "192",
        "--resamples",
        "50",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main([*command, *size, "--worst", "2"]) == 0
    assert "the reference's own detections stand in" in capsys.readouterr().out
    drift = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert drift["truth"] == "reference"
    row = drift["rows"][0]
    assert row["reference"] == 1
    assert row["low"] <= row["difference"] <= row["high"]
    assert drift["lost"] + drift["gained"] + drift["moved"] > 0
    pictures = sorted((tmp_path / "out").glob("worst_*.jpg"))
    assert len(pictures) == min(2, len(drift["worst"]))
    assert load_rgb(pictures[0]).shape[1] == 2 * 480 + 8


def test_drift_needs_one_input_size(
    converted: Converted, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["drift", "--reference", str(converted.float32), "--candidate", str(EMBEDDED), *options]
    assert main([*command, "--network", "featherface_v2", "--size", "320"]) == 2
    assert "drift compares models at one input size" in capsys.readouterr().err


def shown(boxes: list[list[float]], scores: list[float]) -> Detections:
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.asarray(scores, np.float32), np.zeros((len(array), 5, 2), np.float32))


def test_faces_lost_gained_and_moved() -> None:
    reference = shown([[0, 0, 10, 10], [20, 0, 30, 10], [50, 0, 60, 10]], [0.9, 0.8, 0.7])
    candidate = shown([[50, 0, 60, 12], [0, 0, 10, 10], [80, 0, 90, 10]], [0.6, 0.9, 0.5])
    truth = Truth.of(np.asarray([[20, 0, 30, 10]], np.float32))
    changes = compare_faces(reference, candidate, truth)
    assert (changes.lost.tolist(), changes.gained.tolist()) == ([1], [2])
    assert changes.pairs.tolist() == [[0, 1], [2, 0]]
    assert changes.moved.tolist() == [[2, 0]]
    assert (changes.lost_true, changes.gained_true) == (1, 0)
    assert changes.score_change == pytest.approx([0, -0.1], abs=1e-6)
    assert changes.severity == pytest.approx(2 + 1 - 10 / 12)


def test_no_faces_no_changes() -> None:
    nothing = shown([], [])
    assert compare_faces(nothing, nothing).severity == 0
    assert compare_faces(shown([[0, 0, 9, 9]], [0.9]), nothing).lost.tolist() == [0]


def test_the_interval_covers_what_it_should(rng: np.random.Generator) -> None:
    """The mean of 60 normal differences: its 95 % interval is +-1.96 standard errors."""
    first, second = rng.normal(0, 1, 60), rng.normal(0, 1, 60) + 0.2
    samples = resampled_images(60, 4000, seed=1)
    found = paired_difference(
        lambda w: float(np.average(first, weights=w)), lambda w: float(np.average(second, weights=w)), samples
    )
    error = (second - first).std() / np.sqrt(60)
    assert found.difference == pytest.approx((second - first).mean())
    assert found.low == pytest.approx(found.difference - 1.96 * error, abs=0.06)
    assert found.high == pytest.approx(found.difference + 1.96 * error, abs=0.06)
    assert np.array_equal(resampled_images(60, 5, 3), resampled_images(60, 5, 3))


def test_pairing_makes_equal_models_certain(rng: np.random.Generator) -> None:
    face = Truth.of(np.asarray([[0, 0, 10, 10]], np.float32))
    found = [shown([[0, 0, 10, 10], [30, 30, 40, 40]], list(rng.random(2))) for _ in range(20)]
    one = match(found, [face] * 20)
    difference = paired_difference(
        lambda w: one.average_precision(weights=w),
        lambda w: one.average_precision(weights=w),
        resampled_images(20, 50),
    )
    assert (difference.low, difference.high) == (0, 0)


def test_hashes_agree_and_differ(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "hashes",
        "--model",
        str(converted.float32),
        "--images",
        str(demo_set / "evaluation" / "images"),
    ]
    command += ["--limit", "3"]
    file = tmp_path / "hashes.json"
    assert main([*command, "--output", str(file)]) == 0
    assert main([*command, "--against", str(file)]) == 0
    assert "bit-exact: all outputs of 3 images" in capsys.readouterr().out
    value = json.loads(file.read_text())
    name = next(iter(value["images"]))
    file.write_text(
        json.dumps({**value, "images": {**value["images"], name: {**value["images"][name], "outputs": "0"}}})
    )
    assert main([*command, "--against", str(file)]) == 1
    assert f"the outputs of 1 of 3 images differ, the first {name}" in capsys.readouterr().err
    file.write_text(json.dumps({**value, "model_sha256": "0"}))
    assert main([*command, "--against", str(file)]) == 2


def test_the_hash_is_that_of_the_bytes_in_order() -> None:
    import hashlib

    first, second = np.asarray([[1, -2]], np.int8), np.asarray([1.5], ">f4")
    expected = hashlib.sha256(b"\x01\xfe" + np.asarray([1.5], "<f4").tobytes()).hexdigest()
    assert output_hash([first, second]) == expected
    assert output_hash([second, first]) != expected


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert main([command.name, "--help"]) == 0
        assert f"Usage: python -m benchmark {command.name}" in capsys.readouterr().out

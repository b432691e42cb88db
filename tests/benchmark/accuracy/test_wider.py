"""WIDER FACE's evaluation: the official figures, a loop in the official code's order, and odd folders."""

from __future__ import annotations

import io
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmark.__main__ import main
from benchmark.accuracy.wider.ground_truth import SUBSETS, WiderImage, read_wider_ground_truth
from benchmark.accuracy.wider.predictions import read_wider_predictions, write_wider_predictions
from benchmark.accuracy.wider.protocol import (
    OfficialResult,
    evaluate_predictions,
    match_wider,
    wider_average_precision,
)
from model.foundation.errors import InputError
from model.foundation.records import read_record
from model.geometry.boxes import Detections

OFFICIAL = {"easy": 0.9542761739939429, "medium": 0.9559756459773945, "hard": 0.850334065623493}


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    folder = tmp_path_factory.mktemp("predictions")
    with tarfile.open(shared / "goldens" / "wider_eval_predictions.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "predA"


def test_the_official_figures(
    official: Path, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ground_truth, output = shared / "data" / "wider_gt", tmp_path / "official.json"
    command = ["wider-eval", "--predictions", str(official), "--ground-truth", str(ground_truth)]
    assert main([*command, "--json", str(output)]) == 0
    result = read_record(output, OfficialResult)
    assert result.ap == pytest.approx(OFFICIAL, abs=1e-12)
    assert result.notes == []
    assert "easy   AP   95.43" in capsys.readouterr().out


def random_set(rng: np.random.Generator) -> tuple[list[WiderImage], dict[tuple[str, str], np.ndarray]]:
    truth, rows = [], {}
    for number in range(30):
        faces = np.concatenate([rng.integers(0, 200, (rng.integers(0, 6), 2)), np.empty((0, 2))])
        boxes = np.concatenate([faces, rng.integers(5, 60, faces.shape)], axis=1)
        keep = {
            subset: rng.random(len(boxes)) < share
            for subset, share in zip(SUBSETS, (0.4, 0.6, 0.9), strict=True)
        }
        truth.append(WiderImage("0--E", f"i{number}", boxes, keep))
        seen = np.concatenate(
            [boxes + rng.normal(0, 3, boxes.shape), boxes[:2] + 1, rng.integers(1, 90, (3, 4))]
        )
        scores = np.sort(np.round(rng.random(len(seen)), 3))[::-1]
        if number % 7:
            rows["0--E", f"i{number}"] = np.concatenate([seen, scores[:, None]], axis=1)
    return truth, rows


def ap_in_the_official_order(
    truth: list[WiderImage], predictions: dict[tuple[str, str], np.ndarray], subset: str
) -> float:
    """The published evaluation written out: every threshold of every image in a loop."""
    scores = np.concatenate([one[:, 4] for one in predictions.values()])
    low, span = scores.min(), scores.max() - scores.min()
    totals, faces = np.zeros((1000, 2)), 0
    for image in truth:
        keep = image.keep[subset]
        faces += keep.sum()
        rows = predictions.get((image.event, image.name))
        if rows is None or not len(image.boxes_xywh):
            continue
        proposals, recalled, state = np.ones(len(rows)), np.zeros(len(rows)), np.zeros(len(keep))
        for h, (x, y, w, height, _) in enumerate(rows):
            overlaps = []
            for gx, gy, gw, gh in image.boxes_xywh:
                iw = min(x + w, gx + gw) - max(x, gx) + 1
                ih = min(y + height, gy + gh) - max(y, gy) + 1
                shared_area = iw * ih if iw > 0 and ih > 0 else 0.0
                overlaps.append(shared_area / ((w + 1) * (height + 1) + (gw + 1) * (gh + 1) - shared_area))
            best = int(np.argmax(overlaps))
            if overlaps[best] >= 0.5:
                if not keep[best]:
                    state[best], proposals[h] = -1, -1
                elif state[best] == 0:
                    state[best] = 1
            recalled[h] = (state == 1).sum()
        for t in range(1000):
            above = np.flatnonzero((rows[:, 4] - low) / span >= 1 - (t + 1) / 1000)
            if len(above):
                totals[t] += (proposals[: above[-1] + 1] == 1).sum(), recalled[above[-1]]
    precision = np.divide(totals[:, 1], totals[:, 0], out=np.zeros(1000), where=totals[:, 0] > 0)
    recall = np.concatenate([[0], totals[:, 1] / faces, [1]])
    envelope = np.maximum.accumulate(np.concatenate([[0], precision, [0]])[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(((recall[steps + 1] - recall[steps]) * envelope[steps + 1]).sum())


def test_it_is_the_official_loop(rng: np.random.Generator) -> None:
    truth, predictions = random_set(rng)
    found = wider_average_precision(truth, predictions)
    for subset in SUBSETS:
        expected = ap_in_the_official_order(truth, predictions, subset)
        assert 0.1 < expected < 0.95
        assert found[subset].ap == pytest.approx(expected, abs=1e-12)


def test_weights_count_images_several_times(rng: np.random.Generator) -> None:
    truth, predictions = random_set(rng)
    weights = np.asarray([index % 3 for index in range(len(truth))])
    repeated, rows = [], {}
    for image, times in zip(truth, weights, strict=True):
        for copy in range(times):
            repeated.append(WiderImage(f"copy{copy}", image.name, image.boxes_xywh, image.keep))
            if (image.event, image.name) in predictions:
                rows[f"copy{copy}", image.name] = predictions[image.event, image.name]
    rows["not", "evaluated"] = np.concatenate(list(predictions.values()))  # the same range of scores
    found, expected = match_wider(truth, predictions), wider_average_precision(repeated, rows)
    for subset in SUBSETS:
        assert found[subset].result(weights).ap == pytest.approx(expected[subset].ap, abs=1e-12)


def test_nothing_found_and_nothing_to_find() -> None:
    none = {subset: np.zeros(0, bool) for subset in SUBSETS}
    assert math.isnan(wider_average_precision([WiderImage("e", "i", np.empty((0, 4)), none)], {})["easy"].ap)
    one = {subset: np.ones(1, bool) for subset in SUBSETS}
    face = WiderImage("e", "i", np.asarray([[0.0, 0, 9, 9]]), one)
    assert wider_average_precision([face], {})["easy"].ap == 0
    assert wider_average_precision([face], {("e", "i"): np.asarray([[0.0, 0, 9, 9, 0.5]])})["easy"].ap == 1


def put(folder: Path, name: str, text: str) -> None:
    path = folder / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def test_what_is_missing_or_odd_is_said(tmp_path: Path) -> None:
    put(tmp_path, "0--E/fine [1] ü#", "fine [1] u\u0308#.jpg\n1\n1 2 3 4 0.5\n")
    put(tmp_path, "0--E/empty", "")
    put(tmp_path, "0--E/none", "none.jpg\n0\n")
    put(tmp_path, "0--E/unsorted", "0--E/other.jpg\n2\n1 2 3 4 0.1\n5 6 7 8 0.9\n\n")
    put(tmp_path, "0--E/stranger", "stranger.jpg\n0\n")
    names = ["fine [1] ü#", "empty", "none", "unsorted", "absent"]
    found = read_wider_predictions(
        tmp_path, [*(("0--E", name) for name in names), ("1--F", "x"), ("1--F", "y")]
    )
    assert found.missing_events == ("1--F",)
    assert found.missing_files == ("0--E/absent",)
    assert {key[1]: len(rows) for key, rows in found.rows.items()} == {
        names[0]: 1,
        "empty": 0,
        "none": 0,
        "unsorted": 2,
    }
    assert found.rows["0--E", "unsorted"][0].tolist() == [5, 6, 7, 8, 0.9]
    said = "\n".join(found.describe())
    for words in (
        "1 event(s) absent: 1--F",
        "1 image(s) without a file: 0--E/absent",
        "1 empty file(s), scored as no detection: 0--E/empty",
        "1 file(s) not in order of falling score, sorted: 0--E/unsorted",
        "1 file(s) whose first line names another image; the file's name was believed: 0--E/unsorted",
        "1 file(s) of images that the ground truth does not know, left out: 0--E/stranger.txt",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg\n", r"a\.txt:2: expected the number of detections"),
        ("a.jpg\nmany\n", r"a\.txt:2: expected the number of detections, found 'many'"),
        ("a.jpg\n2\n1 2 3 4 0.5\n", r"expected 2 detections, found 1: truncated"),
        ("a.jpg\n1\n1 2 3 4 nan\n", r"a\.txt:3: expected five finite numbers"),
        ("a.jpg\n1\n1 2 3 4\n", r"a\.txt:3: expected five finite numbers"),
        ("a.jpg\n1\n1 2 3 4 x\n", r"a\.txt:3: expected x y width height score"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    put(tmp_path, "0--E/a", text)
    with pytest.raises(InputError, match=message):
        read_wider_predictions(tmp_path, [("0--E", "a")])


def test_the_wrong_folder_is_recognised(tmp_path: Path) -> None:
    put(tmp_path, "run/0--E/a", "a.jpg\n0\n")
    with pytest.raises(InputError, match=r"none of the 1 events; did you mean .*run"):
        read_wider_predictions(tmp_path, [("0--E", "a")])
    with pytest.raises(InputError, match="no such folder"):
        read_wider_predictions(tmp_path / "absent", [("0--E", "a")])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    boxes = np.asarray([[1.25, 2.5, 11.25, 22.5], [0, 0, 5, 5]], np.float32)
    found = Detections(boxes, np.asarray([0.75, 0.5], np.float32), np.zeros((2, 5, 2), np.float32))
    write_wider_predictions(tmp_path, "0--E", "a.b.jpg", found)
    rows = read_wider_predictions(tmp_path, [("0--E", "a.b")]).rows["0--E", "a.b"]
    np.testing.assert_allclose(rows, [[1.25, 2.5, 10, 20, 0.75], [0, 0, 5, 5, 0.5]])


def test_ground_truth_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*wider_face_val\.mat"):
        read_wider_ground_truth(tmp_path)
    (tmp_path / "wider_face_val.mat").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"not a readable \.mat file"):
        read_wider_ground_truth(tmp_path)
    import scipy.io

    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"something": 1})
    (tmp_path / "wider_face_val.mat").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="event_list, file_list, face_bbx_list missing"):
        read_wider_ground_truth(tmp_path)


def test_only_present_images(tmp_path: Path, shared: Path) -> None:
    truth = read_wider_ground_truth(shared / "data" / "wider_gt")
    image = next(one for one in truth if one.keep["easy"].all() and len(one.boxes_xywh))
    lines = [" ".join(f"{value:g}" for value in box) + " 0.9" for box in image.boxes_xywh]
    put(tmp_path, f"{image.event}/{image.name}", "\n".join([f"{image.name}.jpg", str(len(lines)), *lines]))
    alone = evaluate_predictions(tmp_path, shared / "data" / "wider_gt", present_only=True)
    assert (alone.images, alone.ap["hard"]) == (1, 1.0)
    all_ = evaluate_predictions(tmp_path, shared / "data" / "wider_gt")
    assert len(all_.missing_events) == 60
    assert (all_.ap["easy"] or 0) < 0.01
    assert any("scored as an image without detections" in note for note in all_.notes)

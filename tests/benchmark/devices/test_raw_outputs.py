"""The raw outputs of two machines, compared byte by byte; texts of the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.__main__ import main
from benchmark.adb.facts import MachineFacts
from benchmark.devices.machine import Machine, Runner, RunRequest
from benchmark.devices.parsing import duration_s, thread_counts
from benchmark.devices.raw_outputs import (
    Comparison,
    StoredRun,
    compare,
    difference,
    output_names,
    read_outputs,
    run_model,
)
from benchmark.devices.results import ModelFile
from benchmark.runner.output import RunnerOutput, Tensor
from model.foundation.errors import InputError
from model.foundation.records import write_record
from model.geometry.spec import DetectorSpec
from model.runtime.flatbuffer import put_spec
from model.runtime.interpreter import TfliteInterpreter
from tests.small_tflite import SmallModel

MODEL = ModelFile("m.tflite", 1, "0" * 64)


def test_one_different_byte_is_seen():
    first = np.arange(24, dtype=np.int8).reshape(2, 3, 4)
    second = first.copy()
    assert difference("boxes", first, second).identical == 2
    second[1, 2, 3] -= 5
    found = difference("boxes", first, second)
    assert (found.identical, found.max_error, found.mean_error) == (1, 5.0, 5 / 24)


def test_unsigned_differences_do_not_wrap():
    found = difference("scores", np.array([[0]], np.uint8), np.array([[255]], np.uint8))
    assert found.max_error == 255


def test_floats_that_only_look_equal_are_not_identical():
    first = np.array([[0.0]], np.float32)
    assert difference("boxes", first, -first).identical == 0


def test_other_shapes_cannot_be_compared():
    with pytest.raises(InputError, match="cannot be compared"):
        difference("boxes", np.zeros((1, 2)), np.zeros((1, 3)))


def test_a_model_differs_by_one_frame_of_one_output(tmp_path):
    stored = StoredRun(MachineFacts("host", "here", "here"), Runner("scripted"), MODEL, ("a", "b"), "f", "")
    for name, faces in (("one", 0), ("other", 1)):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name / "run.json", stored)
        for output in ("boxes", "scores", "landmarks"):
            changed = faces if output == "scores" else 0
            np.save(tmp_path / name / f"{output}.npy", np.array([[0], [changed]], np.int8))
    outputs = ("boxes", "scores", "landmarks")
    agreement = {"m": compare(tmp_path / "one", tmp_path / "other", outputs), "same": {}}
    found = Comparison(("one", "other"), ("a.jpg", "b.jpg"), (), agreement, "")
    assert found.different == ["m"]
    assert {name: one.identical for name, one in agreement["m"].items()} == {
        "boxes": 2,
        "scores": 1,
        "landmarks": 2,
    }


class ThisMachine(Machine):
    """Runs frames on the interpreter here and leaves outputs as the runners do."""

    @property
    def facts(self) -> MachineFacts:
        return MachineFacts("host", "here", "here")

    @property
    def runner(self) -> Runner:
        return Runner("scripted")

    def run(self, request: RunRequest) -> RunnerOutput:
        file = TfliteInterpreter(request.model)
        request.outputs.mkdir()
        for frame in np.fromfile(request.frames, np.float32).reshape(-1, *file.inputs[0].shape):
            file.run_real(frame)
            for number, one in enumerate(file.outputs):
                with (request.outputs / f"{number}.raw").open("ab") as stream:
                    stream.write(file.stored(one).tobytes())
        outputs = [Tensor(one.name, "float32", one.shape, 0) for one in file.outputs]
        return RunnerOutput(outputs=tuple(outputs))


def _foreign(path: Path) -> Path:
    """A detector of four outputs, two of them with a slash in their names."""
    small, names = SmallModel(), ("head/8", "head/16", "cls_8", "cls_16")
    entry = small.tensor("pixels", "float32", [1, 32, 32, 3])
    made = []
    for number, name in enumerate(names):
        made.append(small.tensor(name, "float32", [1, 32, 32, 3]))
        small.add("MUL", [entry, small.constant(f"{name}_gain", np.float32([number]))], [made[-1]])
    spec = DetectorSpec("four", 32, 32, boxes_from=names[:2], scores_from=names[2:], points=0)
    put_spec(small.model, spec)
    return small.write(path, [entry], made)


def test_outputs_of_any_number_and_name_are_kept_and_compared(tmp_path):
    model = _foreign(tmp_path / "four.tflite")
    for name, shade in (("a.png", 7), ("b.png", 9)):
        Image.new("RGB", (32, 32), (shade, shade, shade)).save(tmp_path / name)
    images, names = [tmp_path / "a.png", tmp_path / "b.png"], output_names(model)
    assert names == ["head/8", "head/16", "cls_8", "cls_16"]
    for folder in ("one", "other"):
        run_model(ThisMachine(), model, images, tmp_path / folder)
    kept = np.load(tmp_path / "one" / "cls_16.npy")
    assert kept.shape == (2, 32, 32, 3)
    assert kept[:, 0, 0, 0].tolist() == [21, 27]
    np.save(tmp_path / "other" / "head%2F16.npy", np.load(tmp_path / "other" / "head%2F16.npy") + 1)
    found = compare(tmp_path / "one", tmp_path / "other", names)
    assert [one.identical for one in found.values()] == [2, 0, 2, 2]
    Image.new("RGB", (32, 32), (8, 8, 8)).save(images[0])
    run_model(ThisMachine(), model, images, tmp_path / "other")
    with pytest.raises(InputError, match="fed other pixels"):
        compare(tmp_path / "one", tmp_path / "other", names)
    run_model(ThisMachine(), model, images[:1], tmp_path / "other")
    with pytest.raises(InputError, match="expected runs of one model on the same photographs"):
        compare(tmp_path / "one", tmp_path / "other", names)


def test_what_another_machine_left_is_compared(tmp_path, capsys):
    model = _foreign(tmp_path / "four.tflite")
    Image.new("RGB", (32, 32), (7, 7, 7)).save(tmp_path / "a.png")
    command = ["run", "--model", str(model), "--images", str(tmp_path)]
    assert main([*command, "--output", str(tmp_path / "there")]) == 0
    there = ["--compare", str(tmp_path / "there" / "host"), "--require-identical"]
    assert main([*command, "--output", str(tmp_path / "here"), *there]) == 0
    kept = tmp_path / "there" / "host" / "four" / "cls_8.npy"
    np.save(kept, np.load(kept) + 1)
    assert main([*command, "--output", str(tmp_path / "here"), *there]) == 1
    assert "host and host differ in four.tflite" in capsys.readouterr().err


def test_raw_outputs_come_back_frame_by_frame(tmp_path):
    values = np.arange(12, dtype=np.float32)
    values.tofile(tmp_path / "0.raw")
    (array,) = read_outputs(tmp_path, [Tensor("boxes", "float32", (1, 2, 3), 24)])
    assert array.shape == (2, 2, 3)
    assert array.reshape(-1).tolist() == values.tolist()
    (rows,) = read_outputs(tmp_path, [Tensor("443", "float32", (3, 2), 24)])  # SCRFD's have no batch
    assert rows.shape == (2, 3, 2)
    with pytest.raises(InputError, match="no multiple of 5"):
        read_outputs(tmp_path, [Tensor("boxes", "float32", (1, 5), 20)])


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5m", 90), ("10m", 600), ("1h", 3600)])
def test_durations(text, seconds):
    assert duration_s(text) == seconds


def test_thread_counts():
    assert thread_counts("4,1-2") == [1, 2, 4]
    for text in ("", "0", "a", "-1"):
        with pytest.raises(InputError, match="--threads takes numbers"):
            thread_counts(text)

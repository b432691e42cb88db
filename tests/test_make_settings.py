"""Settings of the Makefile, before anything runs: `make -n` says what would be done."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


def _would(*arguments: str) -> subprocess.CompletedProcess[str]:
    call = ["make", "-n", "--no-print-directory", "-o", ".venv/installed", *arguments]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("slip", "meant"), [("NETWROK=x", "NETWORK"), ("CHECKPONT=x", "CHECKPOINT"), ("MODELL=x", "MODEL")]
)
def test_a_slip_of_the_pen_is_an_error_that_names_the_nearest(slip: str, meant: str) -> None:
    done = _would("tflite", slip)
    assert done.returncode == 2
    assert f"there is no setting {slip[:-2]}: did you mean {meant}?" in done.stderr


def test_what_the_pages_name_may_be_set() -> None:
    done = _would("help", "CHECKPOINT=a", "NETWORK=b", "NAME=c", "DATA=d", "TRAIN_FLAGS=e", "SERIAL=f",
                  "UV_TORCH_BACKEND=cpu", "PYTHON=python3", "PHOTOGRAPHS=g h")  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_name_is_that_of_all_files(tmp_path: Path) -> None:
    said = _would("tflite", f"BUILD={tmp_path}", "NAME=mine", "SIZE=64").stdout
    assert f"--output {tmp_path}/mine_64x64_int8.tflite" in said
    assert f"{tmp_path}/mine_64x64_int8_fp16.tflite" in said
    assert "featherface_v2_64x64" not in said


def test_the_name_of_the_computer_is_not_that_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "DESKTOP-1")
    said = _would("tflite", f"BUILD={tmp_path}", "SIZE=64").stdout
    assert f"--output {tmp_path}/featherface_v2_64x64_int8.tflite" in said
    assert "DESKTOP" not in said


@pytest.mark.parametrize("name", ["a;touch${IFS}hit", "$(touch hit)", "../x", "a b", "", 3])
def test_a_spec_runs_no_command(name: object, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({"network": name, "input_height": 64, "input_width": 64}))
    done = _would("tflite", "MODEL=x.onnx", f"SPEC={tmp_path}/spec.json", f"BUILD={tmp_path}")
    assert done.returncode == 2 and "is no detector spec" in done.stderr


def test_a_folder_with_spaces_is_not_built_in() -> None:
    done = _would("clean", "BUILD=/tmp/a b")
    assert done.returncode == 2 and "without spaces" in done.stderr


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (None, "is no recipe with a"),
        ({"layers": []}, "is no recipe with a"),
        ({"name": "$(touch hit)"}, "is no recipe with a"),
        ({"name": "a;touch\thit"}, "is no recipe with a"),
        ({"name": "int8"}, "of a file that is made anyway"),
        ({"name": "int8_fp16"}, "of a file that is made anyway"),
    ],
)
def test_a_recipe_that_cannot_be_taken(recipe: object, said: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    if recipe is not None:
        file.write_text(json.dumps(recipe))
    done = _would("tflite", f"RECIPE={file}", f"BUILD={tmp_path}")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_recipe_of_ones_own_makes_one_file_more(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(json.dumps({"name": "searched", "layers": []}))
    said = _would("tflite", f"RECIPE={file}", f"BUILD={tmp_path}", "SIZE=64").stdout
    assert f"--recipe {tmp_path}/featherface_v2_64x64/recipe_searched.json" in said
    assert f"--output {tmp_path}/featherface_v2_64x64_searched.tflite" in said
    assert f"--output {tmp_path}/featherface_v2_64x64_int8.tflite" in said
    assert f"featherface_v2_64x64_searched.tflite --output {tmp_path}" in said, "in the table too"


def test_inputs_are_checked_before_the_first_long_step(tmp_path: Path) -> None:
    lines = _would("tflite", f"BUILD={tmp_path}", "CALIBRATION=photos").stdout.splitlines()
    commands = [line.split("python -m ")[1].split()[:2] for line in lines if "python -m " in line]
    order = [" ".join(one) for one in commands]
    assert order[0] == "quantize check"
    assert '--images "photos"' in lines[0]
    assert order.index("calibration_data select") < order.index("convert --checkpoint")


def test_the_app_takes_what_is_named_or_asked_for_or_was_built(tmp_path: Path) -> None:
    build = f"BUILD={tmp_path}"
    assert (
        f"script_build assets {tmp_path}/featherface_v2_320x320_float32.tflite"
        in _would("android", build).stdout
    )
    for name in ("featherface_v1_640x640_int8.tflite", "mine_320x320_int8.tflite"):
        (tmp_path / name).write_bytes(b"")
    built = _would("android", build).stdout
    assert (
        f"assets {tmp_path}/featherface_v1_640x640_int8.tflite {tmp_path}/mine_320x320_int8.tflite\n" in built
    )
    assert "convert" not in built
    asked = _would("android", build, "SIZE=96").stdout
    assert f"script_build assets {tmp_path}/featherface_v2_96x96_float32.tflite" in asked
    assert "convert" in asked
    named = _would("android", build, "MODELS=a.tflite b.tflite").stdout
    assert "script_build assets a.tflite b.tflite\n" in named
    assert "convert" not in named


def test_a_network_whose_weights_ship_comes_with_them_and_their_ranges(tmp_path: Path) -> None:
    said = _would("tflite", f"BUILD={tmp_path}", "NETWORK=featherface_v2").stdout
    assert '--checkpoint "model/weights/featherface_v2.pth"' in said
    assert "--ranges model/weights/featherface_v2_ranges.json" in said
    said = _would("tflite", f"BUILD={tmp_path}", "NETWORK=featherface_v1", "CHECKPOINT=mine.pth").stdout
    assert '--checkpoint "mine.pth"' in said
    assert "model/weights" not in said

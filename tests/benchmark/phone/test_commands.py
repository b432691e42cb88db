"""`evaluate-phone` from end to end, against the scripted app."""

from __future__ import annotations

import json

from benchmark.__main__ import main


def test_the_phones_figures_stand_beside_this_computers(app, converted, demo_set, tmp_path, capsys):
    half, output = demo_set / "evaluation", tmp_path / "phone.json"
    command = ["evaluate-phone", "--model", str(converted.float32), "--images", str(half / "images")]
    command += ["--labels", str(half / "label.txt"), "--limit", "3", "--output", str(output)]
    assert main(command) == 0
    assert "difference" in capsys.readouterr().out
    stored = json.loads(output.read_text())
    (one,) = stored["models"]
    assert stored["machine"]["name"] == "adb:PIXEL"
    assert one["app"] == {"version_name": "1.0", "runtime": "tensorflow-lite 2.16.1"}
    assert one["phone"]["images"] == one["host"]["images"] == 3
    # The scripted app finds one face of 2 x 2 pixels in each image: none of those that are there.
    assert one["phone"]["metrics"]["ap50"] == 0
    assert one["host"]["metrics"]["ap50"] > 0
    assert main(command) == 0
    assert len([extras for extras in app.extras if "run_id" in extras]) == 1, "what is done stays done"


def test_only_a_phone_with_the_app_will_do(converted, demo_set, tmp_path, capsys):
    half = demo_set / "evaluation"
    command = ["evaluate-phone", "--device", "arm64", "--model", str(converted.float32)]
    command += ["--images", str(half / "images"), "--labels", str(half / "label.txt")]
    assert main([*command, "--output", str(tmp_path / "phone.json")]) == 2
    assert "needs an Android phone with the demo app" in capsys.readouterr().err

"""`detect`: faces as text, JSON, pictures and video; a foreign file with its spec."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from PIL import Image

from benchmark.__main__ import main
from calibration_data.images import load_rgb
from calibration_data.video import VideoFile
from tests.conftest import EMBEDDED, ROOT, Converted

ASTRONAUT = ROOT / "calibration_data" / "pictures" / "astronaut.jpg"
DETECT = ["detect", str(EMBEDDED), "--network", "featherface_v2", "--size", "320"]


def test_a_photograph_gets_its_faces_drawn(
    converted: Converted, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for picture in sorted((demo_set / "evaluation" / "images").iterdir())[:2]:
        shutil.copy(picture, folder)
    photographs = sorted(folder.iterdir())
    arguments = ["detect", str(converted.float32), str(folder), "--score", "0.02"]
    assert main([*arguments, "--output", str(tmp_path / "faces")]) == 0
    written = json.loads((tmp_path / "faces" / "faces.json").read_text())["pictures"]
    shown = capsys.readouterr().out
    for path, one in zip(photographs, written, strict=True):
        assert f"{path}: {len(one['faces'])} face(s), {one['ms']:.1f} ms" in shown
        with Image.open(tmp_path / "faces" / f"{path.stem}.jpg") as picture:
            assert picture.width == 960
        for face in one["faces"]:
            assert len(face["box_xyxy"]) == 4
            assert len(face["landmarks"]) == 5


def test_a_spec_of_other_outputs_names_both(
    converted: Converted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({**converted.spec.to_json(), "boxes_from": ["cells"]}))
    photograph = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), (90, 90, 90)).save(photograph)
    assert main(["detect", str(converted.float32), str(photograph), "--spec", str(spec)]) == 2
    error = capsys.readouterr().err
    assert "its spec names the outputs cells; the file has boxes" in error
    assert error.count("\n") == 1


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five frames of 401x301 in which the astronaut moves upwards."""
    path, pixels = tmp_path / "clip.mp4", load_rgb(ASTRONAUT)
    with VideoFile(path, 10).writing() as video:
        for top in range(0, 50, 10):
            video.add(pixels[top : top + 301, 50:451])
    return path


def test_a_video_is_looked_at_frame_by_frame(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*DETECT, str(clip), "--output", str(tmp_path / "faces")]) == 0
    written = json.loads((tmp_path / "faces" / "faces.json").read_text())["pictures"]
    assert [one["image"] for one in written] == [f"{clip}#{number}" for number in range(5)]
    tops = [one["faces"][0]["box_xyxy"][1] for one in written]
    assert tops[4] < tops[0] - 20
    assert "5 pictures, " in capsys.readouterr().out
    drawn = cv2.VideoCapture(str(tmp_path / "faces" / "clip.mp4"))
    assert (drawn.get(cv2.CAP_PROP_FRAME_COUNT), drawn.get(cv2.CAP_PROP_FRAME_WIDTH)) == (5, 960)
    assert drawn.get(cv2.CAP_PROP_FPS) == 10


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "nowhere.mp4",
            "expected a photograph, a folder, a video or a camera's number, found no nowhere.mp4",
        ),
        (str(ROOT / "README.md"), "neither an image nor a video"),
        ("977", "camera 977 cannot be opened"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(
    source: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*DETECT, source]) == 2
    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_damaged_video_leaves_no_video(clip: Path, tmp_path: Path) -> None:
    clip.write_bytes(clip.read_bytes()[:300])
    assert main([*DETECT, str(clip), "--output", str(tmp_path / "faces")]) == 2
    assert not list(tmp_path.glob("faces/*"))


def test_show_without_a_screen_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main([*DETECT, str(ASTRONAUT), "--show"]) == 2
    assert "use --output" in capsys.readouterr().err


@pytest.fixture
def screen() -> Iterator[str]:
    """A virtual screen, as DISPLAY names it."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb (apt-get install xvfb)")
    pytest.importorskip("tkinter")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield f":{server.stdout.readline().strip()}"
        server.terminate()


LOOKING = """
import sys
from benchmark.accuracy.window import Window
from calibration_data.images import load_rgb
from pathlib import Path

pixels = load_rgb(Path(sys.argv[1]))
moving = Window("a video", waits=False)
moving.show(pixels)
print(moving._label.winfo_width() >= 512, moving._label.winfo_height() >= 512)
moving.close()
still = Window("photographs", waits=True)
still._root.update()
still._root.after(200, lambda: still._label.event_generate("<Button-1>"))
still.show(pixels)
print("looked at, closed:", still.closed)
still._root.after(200, still.close)
still.show(pixels)
print("looked at, closed:", still.closed)
"""


def test_a_window_shows_pictures_until_a_click_or_its_end(screen: str) -> None:
    # In a process of its own: Xlib ends the process whose screen goes away.
    done = subprocess.run(
        [sys.executable, "-c", LOOKING, str(ASTRONAUT)],
        env={**os.environ, "DISPLAY": screen},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["True True", "looked at, closed: False", "looked at, closed: True"], (
        done.stderr
    )

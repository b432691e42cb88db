"""The page in headless Chromium with the real runtime and the built models, beside Python."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark.web_demo.runtime import NAME, runtime_folders
from benchmark.web_demo.server import Served, server
from calibration_data.images import load_rgb
from calibration_data.readers import LabelledImage
from model.evaluation.protocol import detect_image
from model.geometry.letterbox import letterbox
from model.runtime.interpreter import TfliteInterpreter
from model.runtime.running import open_model
from tests.benchmark.web_demo.browser import Page, browser
from tests.conftest import ROOT

MODELS = [ROOT / "build" / f"featherface_v2_320x320_{kind}.tflite" for kind in ("float32", "int8")]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(path.is_file() for path in MODELS), reason="there are no models in build/: run 'make tflite'"
    ),
]

SET_THRESHOLD = """(() => {
  const slider = document.getElementById("threshold");
  slider.value = 0.98;
  slider.dispatchEvent(new Event("input"));
})()"""

SHAPE = "(({ width, height }) => width / height)(document.querySelector('canvas'))"

RAW = """(async () => {
  const { Network } = await import("/runtime.js");
  const bytes = new Uint8Array(await (await fetch("%s")).arrayBuffer());
  const network = await Network.compile(bytes);
  network.fill((target) => target.set(Uint8Array.from(atob("%s"), (one) => one.charCodeAt(0))));
  const outputs = await network.run();
  network.close();
  return Object.fromEntries(Array.from(outputs, ([name, { data }]) => [name, [...data]]));
})()"""

FACES = """(async () => {
  const [{ Model }, { Network }, { Picture }] = await Promise.all(["/model.js", "/runtime.js", "/source.js"].map((one) => import(one)));
  const bytes = new Uint8Array(await (await fetch("%s")).arrayBuffer());
  const model = await Model.open({ name: "it", bytes, record: async () => null }, Network);
  const picture = await Picture.open(document.getElementById("picture").files[0]);
  await model.run(picture.next().image);
  const faces = model.faces(0.3);
  model.close();
  return faces;
})()"""  # noqa: E501


@pytest.fixture(scope="module")
def page(chromium: str, npm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page with both models."""
    with server(Served(NAME, runtime_folders(), MODELS), 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        with browser(chromium, tmp_path_factory.mktemp("profile")) as tab:
            tab.open(f"http://127.0.0.1:{running.server_port}/")
            tab.wait_for("document.querySelectorAll('article').length === 2")
            yield tab
        running.shutdown()


@pytest.fixture(scope="module")
def picture(demo_faces: list[LabelledImage]) -> Path:
    """One with several faces."""
    return max(demo_faces, key=lambda one: len(one.boxes_xyxy)).path


def test_an_integer_file_returns_the_same_bytes_as_on_this_host(page: Page, picture: Path) -> None:
    model = open_model(MODELS[1])
    pixels, _ = letterbox(load_rgb(picture), model.spec)
    interpreter = TfliteInterpreter(MODELS[1])
    interpreter.run(pixels)
    sent = base64.b64encode(pixels.tobytes()).decode()
    found = page.value(RAW % (f"/models/1/{MODELS[1].name}", sent))
    assert set(found) == {"boxes", "scores", "landmarks"}
    for tensor in interpreter.outputs:
        assert np.array_equal(np.asarray(found[tensor.name]), interpreter.stored(tensor).ravel()), tensor.name


@pytest.mark.parametrize("number", [0, 1], ids=["float32", "int8"])
def test_the_faces_that_python_finds(page: Page, picture: Path, number: int) -> None:
    expected = detect_image(open_model(MODELS[number]), load_rgb(picture)).above(0.3)
    assert len(expected) >= 2
    page.choose("#picture", [picture])
    found = page.value(FACES % f"/models/{number}/{MODELS[number].name}")
    assert len(found) == len(expected)
    for face, box, score in zip(found, expected.boxes_xyxy, expected.scores, strict=True):
        assert face["score"] == pytest.approx(score, abs=0.02)
        assert face["box"] == pytest.approx(box, abs=1.5)


def test_what_a_user_sees(page: Page, picture: Path, tmp_path: Path) -> None:
    page.choose("#picture", [picture])
    page.wait_for(
        "[...document.querySelectorAll('[data-part=inference]')].every((e) => e.textContent.endsWith(' ms'))"
    )
    shown = page.value("document.querySelector('main').innerText")
    assert "featherface_v2_320x320_int8" in shown
    assert "against featherface_v2_320x320_float32: " in shown
    assert page.value("document.getElementById('problems').innerText") == ""
    assert page.value("crossOriginIsolated") is True
    page.value(SET_THRESHOLD)
    assert page.value(
        "[...document.querySelectorAll('[data-part=faces]')].every((e) => e.textContent.startsWith('0 '))"
    )
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(MODELS[1].read_bytes()[:20000])
    page.choose("#models", [broken])
    page.wait_for("document.getElementById('problems').innerText.includes('broken.tflite: ')")


def test_the_webcam(page: Page) -> None:
    page.value("document.getElementById('webcam').click()")
    page.wait_for("document.getElementById('webcam').getAttribute('aria-pressed') === 'true'")
    # The fake camera's shape, not the picture's.
    page.wait_for(f"Math.abs({SHAPE} - 4 / 3) < 0.01")
    page.value("document.getElementById('webcam').click()")


def test_no_request_left_the_machine(page: Page) -> None:
    origin = page.value("location.origin")
    assert len(page.requests) > 20
    assert [one for one in page.requests if not one.startswith((origin, "data:", "blob:"))] == []

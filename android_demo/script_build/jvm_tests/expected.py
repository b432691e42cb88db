"""What Python finds in a photograph with each built model, for the JVM's test of the same path."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from android_demo.script_build.layout import OUTPUT
from android_demo.script_build.package import models_inside
from model.foundation.artifact import Artifact
from model.foundation.errors import InputError
from model.geometry.boxes import Detections, detect
from model.geometry.letterbox import Pixels, letterbox
from model.runtime.running import open_model

TOLERANCE_PX = {"float32": 0.05, "int8": 1e-3}
"""Both run the same library on the same pixels. Integer outputs must agree exactly; floats may be summed in
another order where the number of threads differs."""


def write_expected(photograph: Path) -> Path | None:
    """Write the faces that every model in the assets finds; None if there is no model."""
    # Copies: both sides see the same bytes even while `make tflite` is at work.
    folder = OUTPUT / "test_models"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    models = []
    for source in models_inside():
        shutil.copyfile(Artifact.record_path(source), Artifact.record_path(folder / source.name))
        models.append(Path(shutil.copyfile(source, folder / source.name)))
    if not models:
        return None
    stored = cv2.imread(str(photograph))
    if stored is None:
        raise InputError(f"{photograph} is not an image")
    image = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
    path = OUTPUT / "expected.json"
    rows = [_row(model, photograph, np.asarray(image, np.uint8)) for model in models]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def _row(model: Path, photograph: Path, image: Pixels) -> dict[str, Any]:
    running = open_model(model)
    canvas, fit = letterbox(image, running.spec)
    outputs = running.run(canvas)
    kind = "float32" if all(stored.dtype == np.float32 for stored in outputs.stored) else "int8"
    return {
        "model": str(model.resolve()),
        "photograph": str(photograph),
        "tolerance": TOLERANCE_PX[kind],
        "faces": faces(fit.to_image(detect(*outputs.values, running.spec))),
    }


def faces(found: Detections) -> list[dict[str, Any]]:
    """One object a face, best score first."""
    return [
        {"box_xyxy": box.tolist(), "score": float(score), "landmarks_xy": points.tolist()}
        for box, score, points in zip(found.boxes_xyxy, found.scores, found.landmarks, strict=True)
    ]

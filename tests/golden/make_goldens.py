"""Write the golden files that the Kotlin app's tests and the Python tests share.

    python tests/golden/make_goldens.py --networks ../shared/goldens  # real photographs' raw outputs
    python tests/golden/make_goldens.py --models build/featherface_v2_320x320_int8.tflite  # deployed files'

Raw outputs of real networks go in, `model/geometry` says what must come out. Nothing
here holds a photograph. Regenerate only when the contract changes, and say why in the commit.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.foundation.artifact import Artifact
from model.geometry.boxes import Detections, detect
from model.geometry.letterbox import Letterbox, letterbox
from model.geometry.spec import DetectorSpec
from model.networks import spec_of

HERE = Path(__file__).parent
IMAGE_HW = (427, 640)
"""Size of the pretended original image: shows the way back from the letterbox."""


def main() -> None:
    """Write every golden file that the given inputs allow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=Path, help="folder with NETWORK_320.npz: boxes, scores, landmarks")
    parser.add_argument(
        "--models", type=Path, nargs="*", default=[], help="deployed TFLite files to run on a photograph"
    )
    options = parser.parse_args()
    for model in options.models:
        save_deployed(model)
    write_json("letterbox.json", letterbox_cases())
    for network in ("featherface_v1", "retinaface_mnet025") if options.networks else ():
        raw = np.load(options.networks / f"{network}_320.npz")
        spec = spec_of(network.removesuffix("_mnet025"), 320, 320)
        outputs = [np.asarray(raw[name], np.float32) for name in spec.output_names]
        save_case(f"{network}_320_int8", spec, [quantize(array) for array in outputs])
        if network == "featherface_v1":
            save_case(f"{network}_320_float32", spec, [(array, 1.0, 0) for array in outputs])
            # One probability a face, a low threshold and both limits reached.
            single = DetectorSpec(
                network,
                320,
                320,
                score_channels=1,
                score_threshold=0.02,
                pre_nms_top_k=400,
                max_detections=60,
            )
            save_case(
                f"{network}_320_int8_single_score",
                single,
                [quantize(outputs[0]), quantize(outputs[1][..., 1:]), quantize(outputs[2])],
            )


def save_deployed(model: Path) -> None:
    """Run a deployed file on scikit-image's public-domain portrait and keep what it returns."""
    from ai_edge_litert.interpreter import Interpreter
    from skimage.data import astronaut

    spec = DetectorSpec.from_json(dict(Artifact.load(model).record["spec"]))
    image = np.ascontiguousarray(astronaut())
    canvas, _ = letterbox(image, spec)
    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    interpreter.set_tensor(entry["index"], canvas[None].astype(entry["dtype"]))
    interpreter.invoke()
    outputs = []
    for detail in interpreter.get_output_details():
        scale, zero_point = detail["quantization"]
        outputs.append((interpreter.get_tensor(detail["index"]), float(scale), int(zero_point)))
    save_case(f"deployed_{model.stem}", spec, outputs, image.shape[:2])


def quantize(array: NDArray[np.float32]) -> tuple[NDArray[np.int8], float, int]:
    """Asymmetric int8 as a TFLite file stores an output: values, scale, zero point."""
    low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    scale = float(np.float32((high - low) / 255))
    zero_point = round(-128 - low / scale)
    return np.clip(np.rint(array / scale) + zero_point, -128, 127).astype(np.int8), scale, zero_point


def save_case(
    name: str,
    spec: DetectorSpec,
    outputs: list[tuple[NDArray[Any], float, int]],
    image_hw: tuple[int, int] = IMAGE_HW,
) -> None:
    """Write NAME.bin.gz (the raw outputs in order) and NAME.json (spec, tensors, expected faces)."""
    real = [
        array
        if array.dtype == np.float32
        else (array.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        for array, scale, zero in outputs
    ]
    found = detect(*real, spec)
    fitted = min(spec.input_height / image_hw[0], spec.input_width / image_hw[1])
    back = Letterbox(fitted, *image_hw).to_image(found)
    payload = b"".join(array.tobytes() for array, _, _ in outputs)
    (HERE / f"{name}.bin.gz").write_bytes(gzip.compress(payload, 9, mtime=0))
    tensors = [
        {
            "name": label,
            "type": array.dtype.name,
            "shape": list(array.shape),
            "scale": scale,
            "zero_point": zero,
        }
        for label, (array, scale, zero) in zip(spec.output_names, outputs, strict=True)
    ]
    write_json(
        f"{name}.json",
        {
            "spec": spec.to_json(),
            "tensors": tensors,
            "input_pixels": as_json(found),
            "image_hw": image_hw,
            "image_pixels": as_json(back),
        },
    )
    print(f"{name}: {len(found)} faces, {len(payload)} bytes")


def as_json(found: Detections) -> list[dict[str, Any]]:
    """One object a face, best score first."""
    return [
        {
            "box_xyxy": [float(value) for value in box],
            "score": float(score),
            "landmarks_xy": [[float(x), float(y)] for x, y in points],
        }
        for box, score, points in zip(found.boxes_xyxy, found.scores, found.landmarks, strict=True)
    ]


def letterbox_cases() -> list[dict[str, Any]]:
    """Images of known pixels, letterboxed by OpenCV: up, down, wide, tall, exact, one pixel."""
    sizes = [(160, 120), (120, 160), (97, 211), (640, 480), (64, 64), (32, 64), (33, 20), (1, 1), (1000, 3)]
    cases = []
    for width, height in sizes:
        spec = DetectorSpec("pattern", 96, 64)
        canvas, fit = letterbox(pattern(width, height), spec)
        packed = base64.b64encode(zlib.compress(canvas.tobytes(), 9)).decode()
        cases.append(
            {"spec": spec.to_json(), "width": width, "height": height, "scale": fit.scale, "canvas": packed}
        )
    return cases


def pattern(width: int, height: int) -> NDArray[np.uint8]:
    """uint8 [height, width, 3]: (7x + 13y + 29c + xy) mod 256, which Kotlin computes too."""
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((7 * x + 13 * y + 29 * channel + x * y) % 256).astype(np.uint8)


def write_json(name: str, value: Any) -> None:
    """Write readable JSON."""
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

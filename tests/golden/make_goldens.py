"""Write the golden files that the Kotlin app's tests and the Python tests share.

    python tests/golden/make_goldens.py --networks ../shared/goldens  # real photographs' raw outputs
    python tests/golden/make_goldens.py --models build/featherface_v2_320x320_int8.tflite  # deployed files'
    python tests/golden/make_goldens.py --decoders  # small random outputs for every decoder
    python tests/golden/make_goldens.py --drift-watch build/featherface_v2_320x320_int8.tflite \
        ../shared/data/fddb_train/images ../shared/data/fddb_dev/images  # pictures alike and unlike

Raw outputs go in, `model/geometry` says what must come out. Nothing here holds a photograph.
Regenerate only when the contract changes, and say why in the commit.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration_data.images import load_rgb
from calibration_data.selection import select_images
from model.foundation.artifact import Artifact
from model.foundation.records import to_json
from model.geometry.boxes import Detections, detect
from model.geometry.letterbox import Letterbox, Pixels, letterbox
from model.geometry.outputs import joined, logit_names
from model.geometry.spec import DetectorSpec
from model.networks import spec_of
from model.runtime.running import RawOutputs, open_model
from quantize.apply.output_statistics import OutputStatistics, PictureOutputs

Stored = tuple[NDArray[Any], float, int]
"""An output as a file stores it, with its scale and zero point."""

HERE = Path(__file__).parent
IMAGE_HW = (427, 640)
"""Size of the pretended original image: shows the way back from the letterbox."""


PHOTOGRAPH = HERE.parents[1] / "calibration_data" / "pictures" / "astronaut.jpg"


def main() -> None:
    """Write every golden file that the given inputs allow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=Path, help="folder with NETWORK_320.npz: boxes, scores, landmarks")
    parser.add_argument(
        "--models", type=Path, nargs="*", default=[], help="deployed TFLite files to run on a photograph"
    )
    parser.add_argument("--decoders", action="store_true", help="random outputs for every decoder")
    parser.add_argument(
        "--drift-watch", type=Path, nargs=3, help="a model, photographs to calibrate on, others"
    )
    options = parser.parse_args()
    if options.drift_watch:
        write_json("drift_watch.json", drift_watch(*options.drift_watch))
    for model in options.models:
        save_deployed(model)
    for name, (spec, shapes) in decoder_cases().items() if options.decoders else ():
        save_case(name, spec, random_outputs(spec, shapes))
    write_json("letterbox.json", letterbox_cases())
    for network in ("featherface_v1", "retinaface_mnet025") if options.networks else ():
        raw = np.load(options.networks / f"{network}_320.npz")
        spec = spec_of(network.removesuffix("_mnet025"), 320, 320)
        outputs = [np.asarray(raw[name], np.float32) for name in spec.output_names]
        save_case(f"{network}_320_int8", spec, named(spec, [quantize(array) for array in outputs]))
        if network == "featherface_v1":
            save_case(f"{network}_320_float32", spec, named(spec, [(array, 1.0, 0) for array in outputs]))
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
                named(single, [quantize(outputs[0]), quantize(outputs[1][..., 1:]), quantize(outputs[2])]),
            )


def drift_watch(path: Path, calibration: Path, others: Path) -> dict[str, Any]:
    """What a model answers on photographs like the calibration's and on pictures unlike them."""
    model, rng = open_model(path), np.random.default_rng(0)

    def answered(pictures: Iterable[Pixels]) -> list[PictureOutputs]:
        return [PictureOutputs.of(model.run(letterbox(one, model.spec)[0]), model.spec) for one in pictures]

    def noisy(picture: Pixels, sigma: float) -> Pixels:
        return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)

    fresh = select_images(others, 32, 0)[0].load()
    sets = {
        "other photographs": fresh,
        "parts of one photograph": parts_of(load_rgb(PHOTOGRAPH), 32, rng),
        "inverted": [255 - one for one in fresh],
        "noisy": [noisy(one, 80) for one in fresh],
        "noise alone": [noisy(np.full((320, 320, 3), 128, np.uint8), 100) for _ in fresh],
    }
    statistics = OutputStatistics.of(answered(select_images(calibration, 128, 0)[0].load()), model.spec)
    return {
        "statistics": to_json(statistics),
        "pictures": {name: to_json(answered(pictures)) for name, pictures in sets.items()},
        "retinaface_mnet025_320_int8": to_json(
            PictureOutputs.of(*stored_case("retinaface_mnet025_320_int8"))
        ),
    }


def stored_case(name: str) -> tuple[RawOutputs, DetectorSpec]:
    """What `save_case` wrote, of a file whose outputs are its boxes, scores and landmarks."""
    golden = json.loads((HERE / f"{name}.json").read_text())
    payload, start, stored, values = gzip.decompress((HERE / f"{name}.bin.gz").read_bytes()), 0, [], []
    for tensor in golden["tensors"]:
        array = np.frombuffer(payload, tensor["type"], int(np.prod(tensor["shape"])), start)
        start += array.nbytes
        stored.append(array.reshape(tensor["shape"]))
        values.append((stored[-1].astype(np.float32) - tensor["zero_point"]) * np.float32(tensor["scale"]))
    boxes, scores, landmarks = values
    return RawOutputs(tuple(stored), (boxes, scores, landmarks)), DetectorSpec.from_json(golden["spec"])


def parts_of(photograph: Pixels, count: int, rng: np.random.Generator) -> list[Pixels]:
    """As a camera that moves about a face sees it: at least half of each side, from the upper part."""
    height, width = photograph.shape[:2]
    parts = []
    for _ in range(count):
        share = rng.uniform(0.5, 1)
        top = int(rng.uniform(0, 0.3) * height * (1 - share))
        left = int(rng.uniform(0, 1) * width * (1 - share))
        parts.append(photograph[top : top + int(share * height), left : left + int(share * width)])
    return parts


def named(spec: DetectorSpec, outputs: list[Stored]) -> dict[str, Stored]:
    """Outputs whose order says what they are."""
    return dict(zip(spec.output_names, outputs, strict=True))


def decoder_cases() -> dict[str, tuple[DetectorSpec, dict[str, tuple[int, ...]]]]:
    """Every decoder and variant, every way of cutting outputs: a spec and the shapes of a file's outputs."""
    levels = {"8": (4, 8), "16": (2, 4)}
    heads = {"box": 4, "cls": 1, "obj": 1, "kps": 10}
    fields = {"boxes_from": "box", "scores_from": "cls", "landmarks_from": "kps"}
    by_level = {field: tuple(f"{head}_{level}" for level in levels) for field, head in fields.items()}
    grids = {
        f"{head}_{level}": (1, *grid, size) for level, grid in levels.items() for head, size in heads.items()
    }
    pairs = {name: (1, 2 * height * width, size) for name, (_, height, width, size) in grids.items()}
    channels_first = {level: (1, 7, *grid) for level, grid in levels.items()}
    turned = {
        "boxes_from": ("8.T[0:4]", "16.T[0:4]"),
        "objectness_from": ("8.T[4:5]", "16.T[4:5]"),
        "scores_from": ("8.T[5:7]", "16.T[5:7]"),
        "score_channels": 3,
        "points": 0,
    }
    joint = {
        "boxes_from": ("out.T[0:4]",),
        "scores_from": ("out.T[4:6]",),
        "landmarks_from": ("out.T[6:10]",),
        "score_channels": 2,
        "points": 2,
    }
    squashed = {
        "boxes_from": ("reg[0:4]",),
        "scores_from": ("sigmoid(cls_8)", "sigmoid(cls_16.T[1:2])"),
        "landmarks_from": ("reg[4:14]",),
    }
    squashed_shapes = {"reg": (1, 80, 14), "cls_8": (1, 64, 1), "cls_16": (1, 2, 4, 4)}
    maps = {"boxes_from": ("wh.T",), "scores_from": ("hm.T",), "landmarks_from": ("lm.T",)}
    map_shapes = {"hm": (1, 1, 8, 16), "wh": (1, 4, 8, 16), "lm": (1, 10, 8, 16)}
    single = {"strides": (4,), "anchor_sizes": ((1,),)}
    two_scores = {"objectness_from": ("obj_8", "obj_16"), "score_channels": 2}

    def spec(decoder: str, anchors: int = 1, **own: Any) -> DetectorSpec:
        usual = {"strides": (8, 16), "anchor_sizes": ((8,) * anchors, (16,) * anchors), "score_channels": 1}
        limits = {"score_threshold": 0.8, "max_detections": 8}
        return DetectorSpec("random", 32, 64, decoder=decoder, **{**usual, **limits, **own})

    cases = {
        "anchor_offsets_plain": (spec("anchor_offsets:plain", 2, **by_level), pairs),
        "anchor_offsets_plain_logits": (spec("anchor_offsets:plain", 2, **squashed), squashed_shapes),
        "cell_distances": (spec("cell_distances", 2, **by_level), pairs),
        "cell_distances_centre": (
            spec("cell_distances:centre", **{**turned, "objectness_from": (), "score_channels": 2}),
            channels_first,
        ),
        "cell_sizes": (spec("cell_sizes", **by_level, **two_scores), grids),
        "cell_sizes_product": (spec("cell_sizes:product", **turned, score_threshold=0.6), channels_first),
        "heatmap": (spec("heatmap", **single, **maps), map_shapes),
        "heatmap_xy_plain": (spec("heatmap:xy_plain", **single, **maps), map_shapes),
    }
    for variant in ("centre_size", "corners_shares"):
        decoded = spec(f"boxes:{variant}", **joint)
        cases[f"boxes_{variant}"] = decoded, {"out": (1, 10, decoded.anchor_count)}
    return {f"decoder_{name}": case for name, case in cases.items()}


def random_outputs(spec: DetectorSpec, shapes: dict[str, tuple[int, ...]]) -> dict[str, Stored]:
    """Numbers between 0 and 1, logits between -6 and 6, as int8 in every second output."""
    generator = np.random.default_rng(zlib.crc32(spec.decoder.encode()))
    values = {name: generator.random(shape, np.float32) for name, shape in shapes.items()}
    for name in logit_names(spec):
        values[name] = 12 * values[name] - 6
    return {
        name: quantize(array) if number % 2 else (array, 1.0, 0)
        for number, (name, array) in enumerate(values.items())
    }


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
    outputs = {}
    for detail in interpreter.get_output_details():
        scale, zero_point = detail["quantization"]
        outputs[detail["name"]] = interpreter.get_tensor(detail["index"]), float(scale), int(zero_point)
    if not spec.boxes_from:
        outputs = named(spec, list(outputs.values()))
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
    outputs: dict[str, Stored],
    image_hw: tuple[int, int] = IMAGE_HW,
) -> None:
    """Write NAME.bin.gz (the raw outputs in order) and NAME.json (spec, tensors, expected faces)."""
    real = {
        label: array
        if array.dtype == np.float32
        else (array.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        for label, (array, scale, zero) in outputs.items()
    }
    found = detect(*joined(real, spec), spec)
    fitted = min(spec.input_height / image_hw[0], spec.input_width / image_hw[1])
    back = Letterbox(fitted, *image_hw).to_image(found)
    payload = b"".join(array.tobytes() for array, _, _ in outputs.values())
    (HERE / f"{name}.bin.gz").write_bytes(gzip.compress(payload, 9, mtime=0))
    tensors = [
        {
            "name": label,
            "type": array.dtype.name,
            "shape": list(array.shape),
            "scale": scale,
            "zero_point": zero,
        }
        for label, (array, scale, zero) in outputs.items()
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
    """Write readable JSON, a row of numbers in a line."""
    text = re.sub(r"\[\s+([-+\d.e,\s]+?)\s+\]", _in_a_line, json.dumps(value, indent=1))
    (HERE / name).write_text(text + "\n", encoding="utf-8")


def _in_a_line(numbers: re.Match[str]) -> str:
    return f"[{' '.join(numbers[1].split())}]"


if __name__ == "__main__":
    main()

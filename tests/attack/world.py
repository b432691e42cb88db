"""A small whole project folder, made by the commands themselves: one file at least of every kind they read.

The detector is a few convolutions at 64x64 of random weights: all that is read of it is its structure, and a
command on it takes a part of a second.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data

from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec
from model.training.samples.photographs import read_photographs
from model.training.teacher.answers import save_answers
from tests.attack.child import Ending, run_child
from tests.conftest import EMBEDDED, ROOT
from tests.small_tflite import SmallModel

SIDE = 64
SPEC = DetectorSpec(
    "small", SIDE, SIDE, "RGB", (0.0, 0.0, 0.0), strides=(8,), anchor_sizes=((16,),), score_channels=1,
    score_threshold=0.3,
)  # fmt: skip
HEADS = {"boxes": 4, "scores": 1, "landmarks": 10}
FACE_XYXY = (170, 60, 280, 210)
"""The portrait of scikit-image's wheel: its face in pixels."""
INT8 = str(ROOT / "quantize" / "recipes" / "int8.json")

FLOAT, QUANTIZED = "small_64x64_float32.tflite", "small_64x64_int8.tflite"
SET = ["--images", "set/images", "--labels", "set/label.txt"]
TRIED = ["--model", FLOAT, "--ranges", "ranges.json", "--data", "set", "--processes", "1"]
HOST = ["--device", "host", "--quick"]
SENSITIVITY = ["sensitivity", *TRIED, "--output", "sensitivity.json"]
SEARCH = ["search", *TRIED, "--sensitivity", "sensitivity.json", "--recipe", "searched.json"]
SEARCH += ["--output", "search.json", "--journal", "search.jsonl"]
QAT = ["qat", "--model", FLOAT, "--ranges", "ranges.json", "--recipe", INT8, "--data", "set"]
QAT += ["--photographs", "set/images", "--output", "qat"]
QAT += ["--steps", "6", "--epoch-steps", "1", "--pictures", "1", "--warm-up", "1"]
LESSONS = ["train", "--data", "set", "--answers", "answers.npz", "--threads", "1"]
LESSONS += ["--samples", "6", "--pictures", "1", "--sides", "64", "--side-shares", "1", "--looks", "1"]
TRAIN = [*LESSONS, "--output", "run"]
EVALUATE = ["evaluate", FLOAT, QUANTIZED, *SET, "--json", "accuracy.json", "--cache", "cache", "--quiet"]
REPORT = ["report", FLOAT, QUANTIZED, "--set", "set", "set/images", "set/label.txt", "--resamples", "20"]
REPORT += ["--processes", "1", "--cache", "cache", "--quiet", "--output", "report"]

RECIPE_OF_THE_WORLD = (
    ["convert", "--model", "small.tflite", "--spec", "spec.json", "--photographs", "set/images",
     "--output", "."],
    ["select-images", "--images", "set/images", "--count", "4", "--output", "calibration.json"],
    ["ranges", "--model", FLOAT, "--calibration", "calibration.json", "--output", "ranges.json"],
    ["quantize", "--model", FLOAT, "--recipe", INT8, "--ranges", "ranges.json", "--photographs", "set/images",
     "--output", QUANTIZED],
    [*EVALUATE, "--processes", "1", "--write-predictions", "predictions"],
    ["run", "--device", "host", "--model", QUANTIZED, "--images", "set/images", "--output", "ran"],
    ["latency", *HOST, "--model", QUANTIZED, "--output", "latency.json"],
    ["files", FLOAT, QUANTIZED, "--output", "summary.json"],
    SENSITIVITY,
    SEARCH,
    [*REPORT, "--cost", "latency.json", "--layers", "sensitivity.json", "--calibration", "ranges.json"],
    ["gate", "--baseline", "baseline.json", "--report", "report/report.json", "--update"],
    QAT,
    TRAIN,
)  # fmt: skip


def run(arguments: Sequence[str], folder: Path, **how: float | None) -> Ending:
    """A command in a child."""
    return run_child(lambda: quickly(arguments), folder, **how)  # type: ignore[arg-type]


def quickly(arguments: Sequence[str]) -> int:
    """A command in this process; a training looks at small pictures only, latency is measured in a blink."""
    from benchmark.devices import method
    from benchmark.front_door import main
    from model.training import commands, loop

    commands.LOOK_SIZES = (SIDE, SIDE)
    loop.CHAPTERS = 3
    method.QUICK = replace(method.QUICK, seconds=0.05, warmup_seconds=0.01)
    return main(arguments)


def build(folder: Path) -> None:
    """Make the world in an empty folder."""
    _photographs(folder / "set")
    (folder / "spec.json").write_text(json.dumps(SPEC.to_json()))
    _tflite(folder / "small.tflite")
    _onnx(folder / "small.onnx")
    shutil.copy(EMBEDDED, folder / "weights.pth")
    shutil.copy(INT8, folder / "recipe.json")
    keys = [one.key for one in read_photographs([folder / "set"])]
    answer = Detections(np.float32([[9, 9, 60, 60]]), np.float32([0.9]), np.full((1, 5, 2), 30, np.float32))
    save_answers(folder / "answers.npz", keys, [answer] * len(keys))
    for command in RECIPE_OF_THE_WORLD:
        ending = run(command, folder, limit_s=600)
        if ending.code:
            raise AssertionError(f"{' '.join(command)} ended with {ending.code}:\n{ending.said}")


def _photographs(folder: Path) -> None:
    """Six cuttings of a portrait and the same labels in each format; one is on its side by its EXIF."""
    portrait = Image.fromarray(data.astronaut())
    (folder / "images").mkdir(parents=True)
    lines = {"label.txt": [], "wider.txt": [], "fddb.txt": []}
    for number in range(6):
        left, top, scale = 20 * number, 5 * number, 0.4
        cut = portrait.crop((left, top, left + 320, top + 320)).resize((128, 128))
        name = f"{number}.{'png' if number % 2 else 'jpg'}"
        exif = Image.Exif()
        exif[0x0112] = 8 if number == 4 else 1
        (cut.rotate(-90) if number == 4 else cut).save(folder / "images" / name, exif=exif)
        x, y = ((FACE_XYXY[0] - left) * scale, (FACE_XYXY[1] - top) * scale)
        width, height = ((FACE_XYXY[2] - FACE_XYXY[0]) * scale, (FACE_XYXY[3] - FACE_XYXY[1]) * scale)
        box = f"{x:.1f} {y:.1f} {width:.1f} {height:.1f}"
        points = " ".join(f"{x + width * u:.1f} {y + height * v:.1f} 1.0" for u, v in
                          ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)))  # fmt: skip
        lines["label.txt"] += [f"# {name}", f"{box} {points} 0.9"]
        lines["wider.txt"] += [name, "1", f"{box} 0 0 0 0 0 0"]
        ellipse = f"{height / 2:.1f} {width / 2:.1f} 1.57 {x + width / 2:.1f} {y + height / 2:.1f} 1"
        lines["fddb.txt"] += [str(number), "1", ellipse]
    for file, content in lines.items():
        (folder / file).write_text("\n".join(content) + "\n")


def _layers() -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Name -> weight [out, in, k, k], bias, stride."""
    rng = np.random.default_rng(1)
    shapes = {"stem": (8, 3, 3, 2), "body": (8, 8, 4, 4)} | {name: (n, 8, 1, 1) for name, n in HEADS.items()}
    return {
        name: (
            rng.normal(0, (c * k * k) ** -0.5, (n, c, k, k)).astype(np.float32)
            / (255 if name == "stem" else 1),
            rng.normal(0, 0.3, n).astype(np.float32),
            stride,
        )
        for name, (n, c, k, stride) in shapes.items()
    }


def _tflite(path: Path) -> None:
    small, layers = SmallModel(), _layers()
    image = small.tensor("image", "float32", [1, SIDE, SIDE, 3])

    def conv(name: str, source: int, side: int) -> int:
        weight, bias, stride = layers[name]
        constants = [small.constant(f"{name}/w", np.ascontiguousarray(weight.transpose(0, 2, 3, 1)))]
        constants.append(small.constant(f"{name}/b", bias))
        result = small.tensor(f"{name}/map", "float32", [1, side, side, len(bias)])
        small.add("CONV_2D", [source, *constants], [result], strideH=stride, strideW=stride)
        return result

    body = conv("body", conv("stem", image, 32), 8)
    outputs = []
    for name, channels in HEADS.items():
        shape = small.constant(f"{name}/shape", np.array([1, 64, channels], np.int32))
        plain = small.tensor(f"{name}/rows" if name == "scores" else name, "float32", [1, 64, channels])
        small.add("RESHAPE", [conv(name, body, 8), shape], [plain])
        outputs.append(plain)
    scores = small.tensor("scores", "float32", [1, 64, 1])
    small.add("LOGISTIC", [outputs[1]], [scores])
    small.write(path, [image], [outputs[0], scores, outputs[2]])


def _onnx(path: Path) -> None:
    values, nodes = [], []

    def conv(name: str, source: str, pads: int = 0) -> str:
        weight, bias, stride = _layers()[name]
        values.extend(
            [numpy_helper.from_array(weight, f"{name}_w"), numpy_helper.from_array(bias, f"{name}_b")]
        )
        inputs = [source, f"{name}_w", f"{name}_b"]
        nodes.append(
            helper.make_node("Conv", inputs, [f"{name}_map"], strides=[stride] * 2, pads=[0, 0, pads, pads])
        )
        return f"{name}_map"

    body = conv("body", conv("stem", "image", 1))
    for name, channels in HEADS.items():
        values.append(numpy_helper.from_array(np.array([1, 64, channels], np.int64), f"{name}_shape"))
        nodes.append(helper.make_node("Transpose", [conv(name, body)], [f"{name}_t"], perm=[0, 2, 3, 1]))
        rows = f"{name}_rows" if name == "scores" else name
        nodes.append(helper.make_node("Reshape", [f"{name}_t", f"{name}_shape"], [rows]))
    nodes.append(helper.make_node("Sigmoid", ["scores_rows"], ["scores"]))
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    found = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64, n]) for name, n in HEADS.items()]
    graph = helper.make_graph(nodes, "small", [given], found, values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))

"""One interface to a model file, whichever runtime it needs: pixels in, the three raw outputs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.foundation.artifact import Artifact, read_json
from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels, network_input
from model.geometry.outputs import joined, output_names, physical_names
from model.geometry.spec import SPEC_METADATA, DetectorSpec

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]
Answer = tuple[Floats, Floats, Floats]
"""Boxes, scores and landmarks as the DetectorSpec says, float32 [1, N, C] each."""
Answers = Callable[[Pixels], Answer]
"""Whatever turns uint8 RGB [H, W, 3] of its spec's size into an answer; a RunningModel does."""


@dataclass(frozen=True, eq=False)
class RawOutputs:
    """What a model returned for one image, in the order boxes, scores, landmarks.

    Attributes:
        stored: The file's outputs as the runtime gave them (integers in an integer file), in its order.
        values: Boxes, scores and landmarks, float32 [1, N, C] each: every output's own scale is applied,
            and what the spec joins is joined.
    """

    stored: tuple[NDArray[Any], ...]
    values: Answer


class RunningModel(ABC):
    """A model file that is ready to run.

    Attributes:
        path: The file.
        spec: Geometry at the size the file was made for.
        any_size: Whether `run` takes other sizes than the spec's (multiples of the largest stride).
    """

    any_size = False

    def __init__(self, path: Path, spec: DetectorSpec) -> None:
        self.path = path
        self.spec = spec

    def spec_at(self, height: int, width: int) -> DetectorSpec:
        """The spec at another input size in pixels.

        Raises:
            InputError: the file runs at its own size only, or the size is out of range.
        """
        if (height, width) == (self.spec.input_height, self.spec.input_width):
            return self.spec
        if not self.any_size:
            raise InputError(
                f"{self.path} runs at {self.spec.input_height}x{self.spec.input_width} only, "
                f"{height}x{width} was asked for; use the .pth, or an ONNX file with a dynamic size"
            )
        return replace(self.spec, input_height=height, input_width=width)

    def run(self, input_rgb: Pixels) -> RawOutputs:
        """Run on one image, uint8 RGB [H, W, 3] of the spec's size (or another if `any_size`).

        Raises:
            InputError: an output's shape contradicts the spec.
        """
        spec = self.spec_at(*input_rgb.shape[:2])
        outputs = self._run(input_rgb)
        for name, array, shape in zip(spec.output_names, outputs.values, spec.output_shapes, strict=True):
            if array.shape != shape:
                raise InputError(
                    f"{self.path}: output {name} has shape {list(array.shape)}, its spec says {list(shape)}"
                )
        return outputs

    def __call__(self, input_rgb: Pixels) -> Answer:
        """What `run` returns as real numbers: boxes, scores and landmarks, float32 [1, N, C] each."""
        return self.run(input_rgb).values

    @abstractmethod
    def _run(self, input_rgb: Pixels) -> RawOutputs: ...


def open_model(path: Path, spec: DetectorSpec | None = None, threads: int = 1) -> RunningModel:
    """Open a .tflite, .onnx or .pth file.

    Args:
        path: The file. Its kind is its suffix.
        spec: Needed for a .pth; for the others it replaces the spec that they carry.
        threads: Threads of the runtime.

    Raises:
        InputError: no such file, another suffix, not a model of its kind, no spec, or a spec that
            contradicts the file's outputs.
    """
    if not path.is_file():
        raise InputError(f"no such model file: {path}")
    kinds: dict[str, Callable[[Path, DetectorSpec | None, int], RunningModel]] = {
        ".tflite": _TfliteModel,
        ".onnx": _OnnxModel,
        ".pth": _open_checkpoint,
    }
    if path.suffix not in kinds:
        raise InputError(
            f"{path}: expected a .tflite, .onnx or .pth file, found {path.suffix or 'no suffix'}"
        )
    return kinds[path.suffix](path, spec, threads)


def _recorded_spec(path: Path, embedded: str | None) -> DetectorSpec:
    """The spec inside the file, or else in the record beside it.

    Raises:
        InputError: there is none, or the two contradict one another.
    """
    record = Artifact.record_path(path)
    beside = read_json(record).get("spec") if record.is_file() else None
    if embedded is None and beside is None:
        raise InputError(
            f"{path} carries no detector spec, nor does {record.name} beside it; give one with --spec"
        )
    specs = [] if embedded is None else [DetectorSpec.from_text(embedded)]
    specs += [] if beside is None else [DetectorSpec.from_json(beside)]
    if specs[0] != specs[-1]:
        raise InputError(f"{path}: the spec inside the file contradicts {record.name}; make the file again")
    return specs[0]


class _TfliteModel(RunningModel):
    def __init__(self, path: Path, spec: DetectorSpec | None, threads: int) -> None:
        from model.runtime.flatbuffer import metadata_inside
        from model.runtime.interpreter import TfliteInterpreter

        self._file = TfliteInterpreter(path, threads=threads)
        embedded = metadata_inside(path.read_bytes(), SPEC_METADATA)
        self._bare = is_bare(path, embedded)
        super().__init__(path, spec or _recorded_spec(path, embedded))
        _check_interface(
            path,
            self.spec,
            [one.shape for one in self._file.inputs],
            [1, self.spec.input_height, self.spec.input_width, 3],
            {one.name: one.shape for one in self._file.outputs},
        )

    def _run(self, input_rgb: Pixels) -> RawOutputs:
        if self._bare:
            self._file.run_real(network_input(input_rgb, self.spec).transpose(0, 2, 3, 1))
        else:
            self._file.run(input_rgb)
        stored = tuple(self._file.stored(one) for one in self._file.outputs)
        values = [one.real(array) for one, array in zip(self._file.outputs, stored, strict=True)]
        names = output_names([one.name for one in self._file.outputs], self.spec)
        return RawOutputs(stored, joined(dict(zip(names, values, strict=True)), self.spec))


class _OnnxModel(RunningModel):
    def __init__(self, path: Path, spec: DetectorSpec | None, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        foreign = None if spec is None else _adapted(path, spec)
        try:
            self._session = onnxruntime.InferenceSession(
                foreign or str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no base class but Exception
            raise InputError(f"{path}: ONNX Runtime refuses it ({error})") from None
        embedded = self._session.get_modelmeta().custom_metadata_map.get(SPEC_METADATA)
        self._bare = is_bare(path, embedded)
        super().__init__(path, spec or _recorded_spec(path, embedded))
        inputs = self._session.get_inputs()
        self._name = inputs[0].name
        self.any_size = not all(isinstance(side, int) for side in inputs[0].shape)
        self._channels_last = len(inputs[0].shape) == 4 and inputs[0].shape[3] == 3 != inputs[0].shape[1]
        size = [self.spec.input_height, self.spec.input_width]
        _check_interface(
            path,
            self.spec,
            [item.shape for item in inputs],
            [1, *size, 3] if self._channels_last else [1, 3, *size],
            {item.name: item.shape for item in self._session.get_outputs()},
        )

    def _run(self, input_rgb: Pixels) -> RawOutputs:
        if self._bare:
            pixels = network_input(input_rgb, self.spec)
        else:
            pixels = np.ascontiguousarray(input_rgb.transpose(2, 0, 1)[None], np.float32)
        if self._channels_last:
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        try:
            stored = tuple(self._session.run(None, {self._name: pixels}))
        except Exception as error:  # onnxruntime's own exceptions share no base class but Exception
            raise InputError(f"{self.path}: ONNX Runtime fails on an image ({error})") from None
        names = output_names([one.name for one in self._session.get_outputs()], self.spec)
        return RawOutputs(stored, joined(dict(zip(names, stored, strict=True)), self.spec))


def _adapted(path: Path, spec: DetectorSpec) -> bytes | None:
    """A foreign file of another fixed size, or whose spec names tensors inside it, as a runtime takes it.

    None where it is taken as it is: any of this project's, and most others.
    """
    from model.runtime.onnx_file import adapted, image_input, read_onnx

    model = read_onnx(path)
    if (
        any(entry.key == SPEC_METADATA for entry in model.metadata_props)
        or Artifact.record_path(path).is_file()
    ):
        return None
    image, names = image_input(model, path), {item.name for item in model.graph.output}
    parted = spec.boxes_from or spec.scores_from or spec.landmarks_from
    outputs = physical_names(spec) if parted else ()
    fits = image.height in (None, spec.input_height) and image.width in (None, spec.input_width)
    made = {name for node in model.graph.node for name in node.output}
    if (fits and names.issuperset(outputs)) or not made.issuperset(outputs):
        return None
    sized = adapted(model, image, spec.input_height, spec.input_width, outputs)
    return bytes(sized.SerializeToString())


class FunctionModel(RunningModel):
    """A function that answers for pictures as a running model: a network in training, a file's mirror."""

    def __init__(self, answers: Answers, spec: DetectorSpec, name: str) -> None:
        super().__init__(Path(name), spec)
        self._answers = answers

    def _run(self, input_rgb: Pixels) -> RawOutputs:
        answer = self._answers(input_rgb)
        return RawOutputs(answer, answer)


class TorchModel(RunningModel):
    """A bare network in memory, run as its authors do: channel order and mean outside the graph.

    It runs wherever the network is, which may move meanwhile.
    """

    any_size = True

    def __init__(self, network: nn.Module, spec: DetectorSpec, path: Path | None = None) -> None:
        super().__init__(path or Path(spec.network), spec)
        self._network = network

    def _run(self, input_rgb: Pixels) -> RawOutputs:
        import torch

        device = next(self._network.parameters()).device
        with torch.inference_mode():
            outputs = self._network(torch.from_numpy(network_input(input_rgb, self.spec)).to(device))
        stored = tuple(one.cpu().numpy() for one in outputs)
        return RawOutputs(
            stored, joined(dict(zip(physical_names(self.spec), stored, strict=True)), self.spec)
        )


def _open_checkpoint(path: Path, spec: DetectorSpec | None, threads: int) -> TorchModel:
    import torch

    from model.checkpoint import load_checkpoint

    if spec is None:
        raise InputError(f"{path}: a checkpoint does not say what it is; give --network and --size")
    torch.set_num_threads(threads)
    return TorchModel(load_checkpoint(path, spec.network).network, spec, path)


def _check_interface(
    path: Path,
    spec: DetectorSpec,
    inputs: Sequence[Sequence[Any]],
    expected_input: Sequence[int],
    outputs: Mapping[str, Sequence[Any]],
) -> None:
    if len(inputs) != 1 or not _fits(inputs[0], expected_input):
        raise InputError(
            f"{path}: its spec says one input of shape {list(expected_input)}, found "
            + " and ".join(str(list(shape)) for shape in inputs)
        )
    if spec.boxes_from or spec.scores_from or spec.landmarks_from:
        absent = [name for name in physical_names(spec) if name not in outputs]
        if absent:
            raise InputError(
                f"{path}: its spec names the outputs {', '.join(absent)}; the file has "
                + ", ".join(f"{name} {_shown(shape)}" for name, shape in outputs.items())
            )
        return
    expected = spec.output_shapes[: 3 if spec.points else 2]
    if len(outputs) != len(expected) or not all(
        _fits(found, shape) for found, shape in zip(outputs.values(), expected, strict=True)
    ):
        raise InputError(
            f"{path}: its spec says outputs {', '.join(str(list(shape)) for shape in expected)}, found "
            + ", ".join(_shown(shape) for shape in outputs.values())
        )


def _shown(shape: Sequence[Any]) -> str:
    return str([int(side) if isinstance(side, (int, np.integer)) else side for side in shape])


def is_bare(path: Path, embedded: str | None) -> bool:
    """Whether a file is as its authors exported it, their channel order and scaling outside the graph."""
    return embedded is None and not Artifact.record_path(path).is_file()


def _fits(found: Sequence[Any], expected: Sequence[int]) -> bool:
    """Whether a shape agrees; a name in place of a number is a dynamic size."""
    return len(found) == len(expected) and all(
        not isinstance(one, (int, np.integer)) or one == other
        for one, other in zip(found, expected, strict=True)
    )

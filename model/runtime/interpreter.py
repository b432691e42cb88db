"""THE interpreter of TFLite files: run one, and read any of its tensors, as stored or as real numbers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from model.foundation.command_line.progress import chatter_aside
from model.foundation.errors import InputError
from model.runtime.flatbuffer import read_content

Kernels = Literal["xnnpack", "builtin"]
"""What computes: XNNPACK, as on a phone, or the runtime's own kernels."""


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as the runtime knows it.

    Attributes:
        index: Its number in the file's first subgraph; tensors the runtime adds come behind those.
        name: As the file says.
        shape: Of one run.
        dtype: E.g. `np.int8`.
        scale: Real number for one integer step; 0 where the tensor has no scale or one for each channel.
        zero_point: The integer that stands for 0.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: type[np.generic]
    scale: float
    zero_point: int

    @classmethod
    def _of(cls, detail: Mapping[str, Any]) -> TensorInfo:
        scale, zero_point = detail["quantization"]
        shape = tuple(int(side) for side in detail["shape"])
        return cls(detail["index"], detail["name"], shape, detail["dtype"], float(scale), int(zero_point))

    def stored(self, values: NDArray[Any]) -> NDArray[Any]:
        """Real numbers as this tensor stores them: divided by its scale, rounded, clipped to its type.

        A tensor without a scale takes them as they are.
        """
        if values.dtype == self.dtype and self.scale in (0, 1) and not self.zero_point:
            return values
        if not self.scale:
            return values.astype(self.dtype)
        limits = np.iinfo(np.dtype(self.dtype))
        levels = np.round(values / np.float32(self.scale)) + self.zero_point
        return np.asarray(np.clip(levels, limits.min, limits.max).astype(self.dtype))

    def real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """What this tensor stores as real numbers, float32 of the same shape."""
        if not self.scale:
            return np.asarray(stored, np.float32)
        return (stored.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


class TfliteInterpreter:
    """A TFLite file that is ready to run.

    Attributes:
        name: The file, for messages.
        inputs, outputs: In the order of the file.
    """

    def __init__(
        self,
        file: Path | bytes,
        *,
        threads: int = 1,
        all_tensors: bool = False,
        kernels: Kernels | None = None,
    ) -> None:
        """Open a file.

        Args:
            file: Its path, or its bytes.
            threads: Of the runtime.
            all_tensors: Keep what is computed in between, so that every tensor can be read after a run.
            kernels: XNNPACK's unless said, and with `all_tensors` the runtime's own. XNNPACK with
                `all_tensors` computes operator by operator: each as on a phone, none fused with the next.

        Raises:
            InputError: no such file, damaged, or the runtime refuses it.
        """
        self.name = str(file) if isinstance(file, Path) else "the file"
        content = read_content(file) if isinstance(file, Path) else file
        own = (kernels or ("builtin" if all_tensors else "xnnpack")) == "builtin"
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if own else OpResolverType.AUTO
        try:
            with warnings.catch_warnings(), chatter_aside():
                warnings.simplefilter("ignore")  # the runtime warns that keeping all tensors takes memory
                self._interpreter = Interpreter(
                    model_content=content,
                    num_threads=threads,
                    experimental_preserve_all_tensors=all_tensors,
                    experimental_op_resolver_type=resolver,
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise InputError(f"{self.name}: the runtime refuses it ({error})") from None
        self.inputs = tuple(TensorInfo._of(one) for one in self._interpreter.get_input_details())
        self.outputs = tuple(TensorInfo._of(one) for one in self._interpreter.get_output_details())

    @cached_property
    def tensors(self) -> tuple[TensorInfo, ...]:
        """All tensors that the runtime can be asked for, by index."""
        return tuple(TensorInfo._of(one) for one in self._interpreter.get_tensor_details())

    @cached_property
    def by_name(self) -> dict[str, TensorInfo]:
        """Name -> tensor; of several with one name the last."""
        return {one.name: one for one in self.tensors}

    def run(self, pixels: NDArray[Any]) -> None:
        """Run on one image, uint8 RGB [H, W, 3] in 0..255, stored as the only input wants it.

        Raises:
            InputError: the input has another shape, or an operator fails on what it is given.
        """
        self.run_real(pixels[None])

    def run_real(self, values: NDArray[Any]) -> None:
        """Run on real numbers of the only input's shape.

        Raises:
            InputError: as `run`.
        """
        entry = self.inputs[0]
        try:
            self._interpreter.set_tensor(entry.index, entry.stored(values))
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{self.name}: the runtime fails on an image ({error})") from None

    def stored(self, tensor: TensorInfo) -> NDArray[Any]:
        """A tensor of the last run as the file stores it (integers in an integer file); a copy.

        Needs `all_tensors` unless it is an input, an output or a constant.
        """
        return np.asarray(self._interpreter.get_tensor(tensor.index))

    def value(self, tensor: TensorInfo) -> NDArray[np.float32]:
        """A tensor of the last run as real numbers, float32: its scale applied; see `stored`."""
        return tensor.real(self.stored(tensor))

    def operators(self) -> list[dict[str, Any]]:
        """The prepared graph, operator by operator: "op_name", "inputs", "outputs".

        What a delegate took over stands there as one node "DELEGATE" behind the file's own operators.
        """
        return list(self._interpreter._get_ops_details())

"""What each ONNX operator computes, in PyTorch: the one table of them.

An operator that is not in the table is named by who asks, not guessed. Shapes are fixed: what decides them
are numbers of the graph.

Source: ONNX operator specifications, opset 7 to 21.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.foundation.errors import InputError

Values = Sequence[Any]
Attributes = dict[str, Any]
Operator = Callable[[Values, Attributes], Any]
"""(inputs, attributes) -> the output, or a tuple of outputs."""
Weighted = TypeVar("Weighted", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class SamePad(nn.Module):
    """What auto_pad SAME puts around a map before a kernel: as much as keeps ceil(side / stride) cells.

    Source: ONNX operator specification of Conv, auto_pad.
    """

    def __init__(self, attributes: Attributes, kernel: Sequence[int], value: float = 0.0) -> None:
        super().__init__()
        self._kernel, self._value = [int(side) for side in kernel], value
        self._strides = attributes.get("strides", [1, 1])
        self._dilations = attributes.get("dilations", [1, 1])
        self._upper = attributes["auto_pad"] == b"SAME_UPPER"

    def forward(self, tensor: Tensor) -> Tensor:
        """Pad [N, C, H, W]."""
        pads: list[int] = []
        for axis in (1, 0):  # PyTorch counts from the last
            side, stride = tensor.shape[2 + axis], self._strides[axis]
            reach = (self._kernel[axis] - 1) * self._dilations[axis] + 1
            whole = max((-(-side // stride) - 1) * stride + reach - side, 0)
            small, large = whole // 2, whole - whole // 2
            pads += [small, large] if self._upper else [large, small]
        return functional.pad(tensor, pads, value=self._value) if any(pads) else tensor


def _is_same(attributes: Attributes) -> bool:
    return attributes.get("auto_pad") in (b"SAME_UPPER", b"SAME_LOWER")


def _padding(attributes: Attributes, where: str) -> tuple[list[int], bool]:
    """Begin pads then end pads, and whether both sides are alike."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise InputError(
            f"{where} with auto_pad {attributes['auto_pad'].decode()}: export it with explicit pads"
        )
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    return pads, pads[:2] == pads[2:]


def _pair(sides: Sequence[int]) -> tuple[int, int]:
    height, width = sides
    return int(height), int(width)


def _convolution(constants: Sequence[Tensor], attributes: Attributes) -> nn.Module:
    geometry = _geometry(constants, attributes)
    if _is_same(attributes):
        explicit = {name: value for name, value in attributes.items() if name != "auto_pad"}
        return nn.Sequential(SamePad(attributes, constants[0].shape[2:]), _convolution(constants, explicit))
    pads, even = _padding(attributes, "Conv")
    weight, padding = constants[0], _pair(pads[:2]) if even else 0
    layer = nn.Conv2d(weight.shape[1] * geometry["groups"], weight.shape[0], padding=padding, **geometry)
    filled = _filled(layer, constants)
    return filled if even else nn.Sequential(nn.ZeroPad2d((pads[1], pads[3], pads[0], pads[2])), filled)


def _transposed_convolution(constants: Sequence[Tensor], attributes: Attributes) -> nn.Module:
    pads, even = _padding(attributes, "ConvTranspose")
    if not even:
        raise InputError("a ConvTranspose with uneven pads cannot be converted")
    geometry = _geometry(constants, attributes)
    geometry |= {
        "padding": _pair(pads[:2]),
        "output_padding": _pair(attributes.get("output_padding", (0, 0))),
    }
    weight = constants[0]
    layer = nn.ConvTranspose2d(weight.shape[0], weight.shape[1] * geometry["groups"], **geometry)
    return _filled(layer, constants)


def _geometry(constants: Sequence[Tensor], attributes: Attributes) -> dict[str, Any]:
    """What a convolution and its transpose have in common."""
    weight = constants[0]
    if weight.ndim != 4:
        raise InputError(f"a convolution of {weight.ndim - 2} dimensions cannot be converted, only 2")
    return {
        "kernel_size": _pair(weight.shape[2:]),
        "stride": _pair(attributes.get("strides", (1, 1))),
        "dilation": _pair(attributes.get("dilations", (1, 1))),
        "groups": attributes.get("group", 1),
        "bias": len(constants) > 1,
    }


def _linear(constants: Sequence[Tensor], attributes: Attributes) -> nn.Module:
    """Gemm with constant weights: alpha and beta are multiplied in."""
    weight = constants[0] if attributes.get("transB", 0) else constants[0].T
    if attributes.get("transA", 0):
        raise InputError("a Gemm of a transposed input cannot be converted")
    scaled = [(attributes.get("alpha", 1.0) * weight).contiguous()]
    for bias in constants[1:]:
        scaled.append((attributes.get("beta", 1.0) * bias).expand(weight.shape[0]).contiguous())
    return _filled(nn.Linear(weight.shape[1], weight.shape[0], bias=len(scaled) > 1), scaled)


def _filled(layer: Weighted, constants: Sequence[Tensor]) -> Weighted:
    """The layer with the graph's weight and bias, which nobody trains."""
    for name, value in zip(("weight", "bias"), constants, strict=False):
        setattr(layer, name, nn.Parameter(value, requires_grad=False))
    return layer


def _batch_norm(values: Values, attributes: Attributes) -> Any:
    tensor, scale, shift, mean, variance = values
    return functional.batch_norm(tensor, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


LAYERS: dict[str, Callable[[Sequence[Tensor], Attributes], nn.Module]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _linear,
}
"""Operators of constant weights, which become modules: their layers in other files bear their names."""


def _numbers(value: Any) -> list[int]:
    return [int(one) for one in value] if isinstance(value, Sequence) else [int(value)]


def _given(values: Values, place: int, attributes: Attributes, name: str) -> Any:
    """A parameter that was an attribute in older opsets and is an input in newer ones; None if absent."""
    if len(values) > place and values[place] is not None:
        return values[place]
    return attributes.get(name)


def _reshape(values: Values, _: Attributes) -> Any:
    tensor, shape = values[0], _numbers(values[1])
    return tensor.reshape([tensor.shape[i] if side == 0 else side for i, side in enumerate(shape)])


def _pool(run: Callable[..., Tensor]) -> Operator:
    def pool(values: Values, attributes: Attributes) -> Any:
        tensor, kernel = values[0], attributes["kernel_shape"]
        if _is_same(attributes) and run is functional.max_pool2d:
            tensor = SamePad(attributes, kernel, float("-inf"))(tensor)
            attributes = {name: value for name, value in attributes.items() if name != "auto_pad"}
        pads, even = _padding(attributes, "a pooling")
        options: Attributes = {
            "stride": attributes.get("strides", [1, 1]),
            "ceil_mode": bool(attributes.get("ceil_mode", 0)),
        }
        if run is functional.avg_pool2d:
            options["count_include_pad"] = bool(attributes.get("count_include_pad", 0))
        if even:
            return run(tensor, kernel, padding=pads[:2], **options)
        if run is functional.avg_pool2d:
            raise InputError("an AveragePool with uneven pads cannot be converted")
        padded = functional.pad(tensor, (pads[1], pads[3], pads[0], pads[2]), value=float("-inf"))
        return run(padded, kernel, **options)

    return pool


def _resize(values: Values, attributes: Attributes) -> Any:
    tensor = values[0]
    sizes = values[3] if len(values) > 3 and values[3] is not None else None
    if sizes is not None:
        target = _numbers(sizes)[2:]
    else:
        scales = values[2][2:]
        target = [round(side * scale) for side, scale in zip(tensor.shape[2:], scales, strict=True)]
    mode = attributes.get("mode", b"nearest").decode()
    place = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    whole = all(new % old == 0 for new, old in zip(target, tensor.shape[2:], strict=True))
    if mode == "nearest" and (whole or place == "asymmetric"):
        return functional.interpolate(tensor, size=target, mode="nearest")
    if mode == "linear" and place in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return functional.interpolate(
            tensor, size=target, mode="bilinear", align_corners=place == "align_corners"
        )
    raise InputError(f"a Resize of mode {mode} with {place} coordinates cannot be converted")


def _upsample(values: Values, attributes: Attributes) -> Any:
    scales = values[1] if len(values) > 1 else attributes["scales"]
    return _resize([values[0], None, scales], {**attributes, "coordinate_transformation_mode": b"asymmetric"})


def _slice(values: Values, attributes: Attributes) -> Any:
    tensor = values[0]
    starts, ends = (
        _numbers(_given(values, place, attributes, name)) for place, name in ((1, "starts"), (2, "ends"))
    )
    axes = _given(values, 3, attributes, "axes")
    steps = _numbers(values[4]) if len(values) > 4 and values[4] is not None else [1] * len(starts)
    for axis, start, end, step in zip(
        range(len(starts)) if axes is None else _numbers(axes), starts, ends, steps, strict=True
    ):
        if step < 1:
            raise InputError("a Slice with a negative step cannot be converted")
        index = [slice(None)] * tensor.ndim
        index[axis] = slice(start, min(end, tensor.shape[axis]) if end >= 0 else end, step)
        tensor = tensor[tuple(index)]
    return tensor


def _split(values: Values, attributes: Attributes) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    sizes = _given(values, 1, attributes, "split")
    if sizes is None:
        return tuple(values[0].chunk(attributes["num_outputs"], axis))
    return tuple(values[0].split(_numbers(sizes), axis))


def _pad(values: Values, attributes: Attributes) -> Any:
    mode = attributes.get("mode", b"constant").decode()
    pads = _numbers(_given(values, 1, attributes, "pads"))
    value = _given(values, 2, attributes, "value")
    half = len(pads) // 2
    order = [pads[side * half + axis] for axis in reversed(range(half)) for side in (0, 1)]
    if mode == "constant":
        return functional.pad(values[0], order, value=float(value) if value is not None else 0.0)
    return functional.pad(values[0], order[: 2 * (half - 2)], mode={"edge": "replicate"}.get(mode, mode))


def _reduce(run: Callable[..., Tensor]) -> Operator:
    def reduce(values: Values, attributes: Attributes) -> Any:
        axes = _given(values, 1, attributes, "axes")
        axes = list(range(values[0].ndim)) if axes is None else _numbers(axes)
        return run(values[0], axes, keepdim=bool(attributes.get("keepdims", 1)))

    return reduce


def _squeeze(values: Values, attributes: Attributes) -> Any:
    axes = _given(values, 1, attributes, "axes")
    return values[0].squeeze() if axes is None else values[0].squeeze(_numbers(axes))


def _unsqueeze(values: Values, attributes: Attributes) -> Any:
    tensor, axes = values[0], _numbers(_given(values, 1, attributes, "axes"))
    rank = tensor.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        tensor = tensor.unsqueeze(axis)
    return tensor


def _clip(values: Values, attributes: Attributes) -> Any:
    low, high = (_given(values, place, attributes, name) for place, name in ((1, "min"), (2, "max")))
    limits = [None if one is None else float(one) for one in (low, high)]
    if limits == [0.0, 6.0]:
        return functional.relu6(values[0])
    return torch.clamp(values[0], *limits)


def _flatten(values: Values, attributes: Attributes) -> Any:
    axis = attributes.get("axis", 1) % (values[0].ndim + 1)
    rows = 1
    for side in values[0].shape[:axis]:
        rows *= side
    return values[0].reshape(rows, -1)


def _softmax(values: Values, attributes: Attributes) -> Any:
    return torch.softmax(values[0], attributes.get("axis", -1))


def _prelu(values: Values, _: Attributes) -> Any:
    return functional.prelu(values[0], values[1].reshape(-1))


def _gather(values: Values, attributes: Attributes) -> Any:
    index, axis = values[1], attributes.get("axis", 0)
    if isinstance(index, int):
        return values[0].select(axis, index)
    return values[0].index_select(axis, torch.tensor(index))


PARAMETERS: dict[str, tuple[int, ...]] = {
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Pad": (1, 2, 3),
    "Clip": (1, 2),
    "Gather": (1,),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "ReduceMean": (1,),
    "ReduceSum": (1,),
    "ReduceMax": (1,),
}
"""Which inputs of an operator are its parameters; they must be constants."""

OPERATORS: dict[str, Operator] = {
    "BatchNormalization": _batch_norm,
    "Relu": lambda v, _: functional.relu(v[0]),
    "LeakyRelu": lambda v, a: functional.leaky_relu(v[0], a.get("alpha", 0.01)),
    "PRelu": _prelu,
    "Elu": lambda v, a: functional.elu(v[0], a.get("alpha", 1.0)),
    "HardSigmoid": lambda v, a: torch.clamp(a.get("alpha", 0.2) * v[0] + a.get("beta", 0.5), 0, 1),
    "HardSwish": lambda v, _: functional.hardswish(v[0]),
    "Sigmoid": lambda v, _: torch.sigmoid(v[0]),
    "Tanh": lambda v, _: torch.tanh(v[0]),
    "Softplus": lambda v, _: functional.softplus(v[0]),
    "Softmax": _softmax,
    "Clip": _clip,
    "Exp": lambda v, _: torch.exp(v[0]),
    "Log": lambda v, _: torch.log(v[0]),
    "Sqrt": lambda v, _: torch.sqrt(v[0]),
    "Abs": lambda v, _: torch.abs(v[0]),
    "Neg": lambda v, _: -v[0],
    "Erf": lambda v, _: torch.erf(v[0]),
    "Add": lambda v, _: v[0] + v[1],
    "Sub": lambda v, _: v[0] - v[1],
    "Mul": lambda v, _: v[0] * v[1],
    "Div": lambda v, _: v[0] / v[1],
    "Pow": lambda v, _: v[0] ** v[1],
    "Max": lambda v, _: torch.maximum(v[0], v[1]),
    "Min": lambda v, _: torch.minimum(v[0], v[1]),
    "MatMul": lambda v, _: v[0] @ v[1],
    "Concat": lambda v, a: torch.cat(list(v), a["axis"]),
    "Transpose": lambda v, a: v[0].permute(a["perm"]),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _upsample,
    "MaxPool": _pool(functional.max_pool2d),
    "AveragePool": _pool(functional.avg_pool2d),
    "GlobalAveragePool": lambda v, _: v[0].mean((2, 3), keepdim=True),
    "GlobalMaxPool": lambda v, _: v[0].amax((2, 3), keepdim=True),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "ReduceMax": _reduce(torch.amax),
    "Identity": lambda v, _: v[0],
    "Dropout": lambda v, _: v[0],
    "Cast": lambda v, _: v[0],
}
"""Operator -> what it does. Casts between numbers of a static graph change nothing that is left in it."""

"""An ONNX graph as a PyTorch module, so that one converter makes the TFLite file of every network.

Shapes are fixed and constants folded before (`onnxsim`), so what is left is a list of plain operators. Every
operator is a function of a table; one that is not in it is named, not guessed. Convolutions become
`nn.Conv2d` children: the layers of the TFLite file bear their names.

Source: ONNX operator specifications, opset 7 to 21.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
import onnxsim
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from model.foundation.errors import InputError

Values = Sequence[Any]
Attributes = dict[str, Any]
Operator = Callable[[Values, Attributes], Any]
"""(inputs, attributes) -> the output, or a tuple of outputs."""


def fixed(model: onnx.ModelProto, shape: Sequence[int], where: str) -> onnx.ModelProto:
    """A network of one input at one size: shapes fixed, what they decide computed, constants folded.

    Args:
        model: As its authors exported it.
        shape: Of its input, [1, 3, H, W].
        where: The file, for messages.

    Raises:
        InputError: it has not exactly one input, or it cannot run at this size.
    """
    stored = {item.name for item in model.graph.initializer}
    inputs = [item.name for item in model.graph.input if item.name not in stored]
    if len(inputs) != 1:
        raise InputError(f"{where}: expected one input, an image, found {len(inputs)}: {', '.join(inputs)}")
    try:
        simplified, agrees = onnxsim.simplify(model, overwrite_input_shapes={inputs[0]: list(shape)})
    except Exception as error:  # onnxsim's errors share no base class but Exception
        first = str(error).strip().splitlines()[:1]
        raise InputError(
            f"{where} cannot run on an input of shape {list(shape)}: {' '.join(first)}"
        ) from None
    if not agrees:
        raise InputError(f"{where}: fixed at {list(shape)} it computes other outputs; give another size")
    return simplified


class OnnxModule(nn.Module):
    """The graph as a module: float32 inputs in the graph's order -> a tuple of outputs."""

    def __init__(self, model: onnx.ModelProto, outputs: Sequence[str] = ()) -> None:
        """
        Args:
            model: With static shapes and folded constants.
            outputs: Those to return, in this order; empty: all of the graph's.

        Raises:
            InputError: an operator, or a form of one, that is not supported; all such are named.
        """
        super().__init__()
        graph = model.graph
        constants = {
            item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer
        }
        self._inputs = [item.name for item in graph.input if item.name not in constants]
        self._outputs = list(outputs) or [item.name for item in graph.output]
        self._steps: list[tuple[Callable[[Values], Any], list[str], list[str]]] = []
        unknown = sorted({_full_name(node) for node in graph.node if node.domain or not _known(node.op_type)})
        if unknown:
            raise InputError(f"operators that cannot be converted: {', '.join(unknown)}")
        for node in graph.node:
            attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
            if node.op_type == "Constant":
                constants[node.output[0]] = _constant(attributes)
                continue
            names = list(node.input)
            if node.op_type in _LAYERS and all(name in constants for name in names[1:]):
                layer = _LAYERS[node.op_type]([constants[name] for name in names[1:]], attributes)
                self.add_module(_module_name(node, self), layer)
                self._steps.append((_Layer(layer), names[:1], list(node.output)))
            else:
                run = _OPERATORS.get(node.op_type)
                if run is None:
                    raise InputError(f"{_full_name(node)} with weights that are computed cannot be converted")
                given = {
                    place: _parameter(node, names[place], constants)
                    for place in _PARAMETERS.get(node.op_type, ())
                    if place < len(names)
                }
                names = ["" if place in given else name for place, name in enumerate(names)]
                self._steps.append((_Step(run, attributes, given), names, list(node.output)))
        read = {name for _, names, _ in self._steps for name in names} | set(self._outputs)
        self._constants = {name: value for name, value in constants.items() if name in read}
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the operators in the graph's order."""
        found: dict[str, Any] = {"": None, **self._constants, **dict(zip(self._inputs, inputs, strict=True))}
        for run, names, outputs in self._steps:
            result = run([found[name] for name in names])
            for name, value in zip(outputs, result if isinstance(result, tuple) else (result,), strict=False):
                found[name] = value
        return tuple(found[name] for name in self._outputs)


class _Layer:
    """A child module in the list of steps; not a child of its own, so that names stay the graph's."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, values: Values) -> Any:
        return self._module(values[0])


class _Step:
    """An operator with its attributes and those of its inputs that are numbers of the graph."""

    def __init__(self, run: Operator, attributes: Attributes, given: dict[int, Any]) -> None:
        self._run, self._attributes, self._given = run, attributes, given

    def __call__(self, values: Values) -> Any:
        found = [self._given.get(place, value) for place, value in enumerate(values)]
        return self._run(found, self._attributes)


def _parameter(node: Any, name: str, constants: dict[str, Tensor]) -> Any:
    """The value of an input that decides shapes: plain numbers, for the trace must not see a tensor."""
    if not name:
        return None
    if name not in constants:
        raise InputError(
            f"{node.op_type} {node.name}: {name} is computed at run time; export with a fixed size"
        )
    return constants[name].tolist()


def _full_name(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def _known(kind: str) -> bool:
    return kind in _OPERATORS or kind in _LAYERS or kind == "Constant"


def _module_name(node: Any, module: nn.Module) -> str:
    name = str(node.name or node.output[0]).strip("/").replace(".", "_") or str(node.op_type)
    taken, number = name, 1
    while hasattr(module, taken):
        taken, number = f"{name}_{number}", number + 1
    return taken


def _constant(attributes: Attributes) -> Tensor:
    ((kind, value),) = attributes.items()
    if kind == "value":
        return torch.from_numpy(numpy_helper.to_array(value).copy())
    return torch.tensor(value)


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
    weight = constants[0]
    if weight.ndim != 4:
        raise InputError(f"a convolution of {weight.ndim - 2} dimensions cannot be converted, only 2")
    pads, even = _padding(attributes, "Conv")
    groups = attributes.get("group", 1)
    layer = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        _pair(weight.shape[2:]),
        stride=_pair(attributes.get("strides", (1, 1))),
        padding=_pair(pads[:2]) if even else 0,
        dilation=_pair(attributes.get("dilations", (1, 1))),
        groups=groups,
        bias=len(constants) > 1,
    )
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if len(constants) > 1:
        layer.bias = nn.Parameter(constants[1], requires_grad=False)
    return layer if even else nn.Sequential(nn.ZeroPad2d((pads[1], pads[3], pads[0], pads[2])), layer)


def _transposed_convolution(constants: Sequence[Tensor], attributes: Attributes) -> nn.Module:
    weight = constants[0]
    pads, even = _padding(attributes, "ConvTranspose")
    if not even:
        raise InputError("a ConvTranspose with uneven pads cannot be converted")
    groups = attributes.get("group", 1)
    layer = nn.ConvTranspose2d(
        weight.shape[0],
        weight.shape[1] * groups,
        _pair(weight.shape[2:]),
        stride=_pair(attributes.get("strides", (1, 1))),
        padding=_pair(pads[:2]),
        output_padding=_pair(attributes.get("output_padding", (0, 0))),
        dilation=_pair(attributes.get("dilations", (1, 1))),
        groups=groups,
        bias=len(constants) > 1,
    )
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if len(constants) > 1:
        layer.bias = nn.Parameter(constants[1], requires_grad=False)
    return layer


def _linear(constants: Sequence[Tensor], attributes: Attributes) -> nn.Module:
    """Gemm with constant weights: alpha and beta are multiplied in."""
    weight = constants[0] if attributes.get("transB", 0) else constants[0].T
    if attributes.get("transA", 0):
        raise InputError("a Gemm of a transposed input cannot be converted")
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=len(constants) > 1)
    layer.weight = nn.Parameter((attributes.get("alpha", 1.0) * weight).contiguous(), requires_grad=False)
    if len(constants) > 1:
        bias = attributes.get("beta", 1.0) * constants[1]
        layer.bias = nn.Parameter(bias.expand(weight.shape[0]).contiguous(), requires_grad=False)
    return layer


def _batch_norm(values: Values, attributes: Attributes) -> Any:
    tensor, scale, shift, mean, variance = values
    return functional.batch_norm(tensor, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


_LAYERS: dict[str, Callable[[Sequence[Tensor], Attributes], nn.Module]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _linear,
}


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
        pads, even = _padding(attributes, "a pooling")
        tensor, kernel = values[0], attributes["kernel_shape"]
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


_PARAMETERS: dict[str, tuple[int, ...]] = {
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

_OPERATORS: dict[str, Operator] = {
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

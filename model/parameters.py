"""Parameters and multiply-accumulates of a network, part by part, beside V1's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from model.foundation.command_line.terminal import narrow_table
from model.layers.blocks import Detector
from model.networks import NETWORKS, spec_of

REFERENCE = "featherface_v1"


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Attributes:
        name: E.g. "backbone", or "all".
        parameters: Trainable numbers.
        macs: Multiply-accumulates of convolutions and matrix products for one image. Element-wise work
            is not counted, nor is the sampling of deformable convolutions.
    """

    name: str
    parameters: int
    macs: int


@dataclass(frozen=True)
class Summary:
    """A network at an input size in pixels; the last part is the sum of the others."""

    network: str
    input_height: int
    input_width: int
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part | None:
        """The part of a name, None if the network has none."""
        return next((part for part in self.parts if part.name == name), None)


def summarize(name: str, height: int, width: int) -> Summary:
    """Count a network's parameters and multiply-accumulates.

    Raises:
        InputError: unknown network or impossible size.
        ValueError: a parameter belongs to no part or to several: the table in networks.py is wrong.
    """
    spec_of(name, height, width)
    kind = NETWORKS[name]
    with torch.device("meta"):  # shapes are enough: nothing is computed
        network = kind.build().eval()
    macs = _macs_of_modules(network, height, width)
    owners = {
        parameter: [part for part, prefixes in kind.parts.items() if parameter.startswith(prefixes)]
        for parameter, _ in network.named_parameters()
    }
    if unclear := [parameter for parameter, parts in owners.items() if len(parts) != 1]:
        raise ValueError(f"{name}: these parameters belong to no part or to several: {unclear[:3]}")
    sizes = {parameter: value.numel() for parameter, value in network.named_parameters()}
    parts = [
        Part(
            part,
            sum(size for parameter, size in sizes.items() if owners[parameter] == [part]),
            sum(count for module, count in macs.items() if f"{module}.".startswith(prefixes)),
        )
        for part, prefixes in kind.parts.items()
    ]
    whole = Part("all", sum(sizes.values()), sum(macs.values()))
    if whole.macs != sum(part.macs for part in parts):
        raise ValueError(f"{name}: some multiply-accumulates belong to no part")
    return Summary(name, height, width, (*parts, whole))


def _macs_of_modules(network: Detector, height: int, width: int) -> dict[str, int]:
    """Multiply-accumulates of each direct child of the network."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.empty(1, 3, height, width, device="meta"))
    counts = counter.get_flop_counts()
    top = type(network).__name__
    children = [name for name, _ in network.named_children()]
    # A list of modules is never called itself: its members are counted, under their own names.
    found: dict[str, int] = {}
    for module, operators in counts.items():
        path = module.split(".")[1:] if module.startswith(f"{top}.") else []
        if not path or path[0] not in children:
            continue
        depth = 1 if f"{top}.{path[0]}" in counts else 2
        if len(path) == depth:
            found[".".join(path)] = sum(operators.values()) // 2  # a multiplication and an addition each
    return found


def compare(summary: Summary, reference: Summary) -> Table:
    """The table of a network's parts beside another's."""
    beside = summary.network != reference.network
    columns = ["part", "parameters", "M MACs"]
    columns += [f"{reference.network}: parameters", "M MACs", "parameters, share"] if beside else []
    size = f"{summary.input_height}x{summary.input_width} (height x width)"
    table = narrow_table(*columns, title=f"{summary.network} at {size}")
    for column in table.columns[1:]:
        column.justify = "right"
    for part in summary.parts:
        row = [part.name, f"{part.parameters:,}", f"{part.macs / 1e6:.1f}"]
        other = reference.part(part.name)
        if beside and other is not None:
            share = f"{part.parameters / other.parameters:.1%}"
            row += [f"{other.parameters:,}", f"{other.macs / 1e6:.1f}", share]
        table.add_row(*row, end_section=part is summary.parts[-2])
    return table

"""The figures of an audit, and a gate on them in one line: "int8_macs>=0.9,outputs>=3,islands<=2"."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.foundation.errors import GateError, InputError

FIGURES = {
    "bytes": "size of the file",
    "int8_macs": "share of multiply-accumulates on integers",
    "float16_macs": "share on weights stored as float16",
    "float32_macs": "share on float32 weights",
    "int8_weights_macs": "share of float arithmetic on integer weights",
    "int8_operators": "share of the operators that compute on integers",
    "float_operators": "share that compute on floats",
    "int8_bytes": "share of the stored constants that are int8",
    "float16_bytes": "share that are float16",
    "float32_bytes": "share that are float32",
    "islands": "stretches of float between integer operators",
    "tails": "stretches of float at an output",
    "heads": "stretches of float at the input",
    "conversions": "QUANTIZE and DEQUANTIZE of activations to and from float",
    "outputs": "outputs with a scale of their own (or float)",
    "xnnpack_operators": "share of the operators that XNNPACK takes",
    "xnnpack_macs": "share of the multiply-accumulates that XNNPACK takes",
    "xnnpack_parts": "parts that XNNPACK runs; more than one means switching to and fro",
    "builtin": "1 if a plain runtime has every operator",
    "signature": "1 if there is a signature",
    "metadata": "1 if a valid detector spec is inside",
    "hashes": "1 if the record beside the file is there and every hash that can be checked is right",
}
"""What an audit measures and --require can compare -> what it is."""

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"([a-z_0-9]+)\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)")
SHARES_DECIMALS = 9
"""Shares are compared at this many decimals: 1 - 0.9 is 0.1."""


@dataclass(frozen=True)
class Requirement:
    """One comparison of a figure with a limit."""

    figure: str
    relation: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a value of the figure meets the limit."""
        return _RELATIONS[self.relation](round(value, SHARES_DECIMALS), self.limit)

    def __str__(self) -> str:
        return f"{self.figure}{self.relation}{self.limit:g}"


def parse_requirements(line: str) -> list[Requirement]:
    """Read comparisons that commas separate; a limit may be in percent ("int8_macs>=90%").

    Raises:
        InputError: a part is no comparison, or names a figure that there is not.
    """
    found = []
    for part in line.split(","):
        match = _FORM.fullmatch(part.strip())
        if match is None:
            raise InputError(
                f"--require: expected FIGURE>=NUMBER (or <=, ==, !=, >, <), commas between, found {part!r}"
            )
        figure, relation, number, percent = match.groups()
        if figure not in FIGURES:
            near = difflib.get_close_matches(figure, FIGURES, 3) or list(FIGURES)
            raise InputError(f"--require: there is no figure {figure!r}; there are {', '.join(near)}")
        found.append(Requirement(figure, relation, float(number) / (100 if percent else 1)))
    return found


def require(requirements: list[Requirement], figures: Mapping[str, float], what: str) -> None:
    """Stop unless all requirements hold.

    Raises:
        GateError: some do not; all of them are named with what was found.
    """
    missed = [one for one in requirements if not one.holds(figures[one.figure])]
    if missed:
        parts = ", ".join(f"{one} (found {figures[one.figure]:.6g})" for one in missed)
        raise GateError(f"{what}: {parts}")

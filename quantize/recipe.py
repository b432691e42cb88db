"""Which precision each layer gets: a JSON file that names layers by pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from model.foundation.artifact import read_json
from model.foundation.errors import InputError
from quantize.calibrate.estimators import ESTIMATORS
from quantize.precision import FLOAT32, PRECISIONS, Precision


class LayerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Layers whose name a regular expression matches (re.search), and the name of their precision."""

    pattern: str = msgspec.field(name="match")
    precision: str

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise InputError(f"unknown precision {self.precision!r}: expected one of {known}")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise InputError(f"{self.pattern!r} is no regular expression: {error}") from None


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantization recipe. People write them, so an unknown field is a slip, not an older version.

    Attributes:
        name: Goes into the file's name, e.g. "int8_fp16".
        layers: Rules; for each layer the last one that matches counts.
        estimator: How activation ranges come from images: a file of `quantize/calibrate/estimators`.
        pixels: What a file whose first layer is int8 takes: "uint8" RGB, or "int8", a pixel less 128, which
            saves the operator that turns one into the other.
    """

    name: str
    layers: tuple[LayerRule, ...]
    estimator: str = "min_max"
    pixels: Literal["uint8", "int8"] = "uint8"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise InputError(f"a recipe's name is of lower-case letters, digits and _, found {self.name!r}")
        ESTIMATORS.require(self.estimator)

    @property
    def is_static(self) -> bool:
        """Whether any rule asks for integer activations, so that their ranges are needed."""
        return any(PRECISIONS[rule.precision].needs_ranges for rule in self.layers)

    def precision_of(self, layer: str) -> Precision:
        """The precision of a layer by its name; float32 where no rule matches."""
        names = [rule.precision for rule in self.layers if re.search(rule.pattern, layer)]
        return PRECISIONS[names[-1]] if names else FLOAT32

    def check_layers(self, layers: Sequence[str]) -> None:
        """Refuse a rule that matches nothing.

        Raises:
            InputError: a pattern matches none of the model's layers; the message names some that exist.
        """
        for rule in self.layers:
            if not any(re.search(rule.pattern, layer) for layer in layers):
                near = _nearest(rule.pattern, layers)
                raise InputError(f"recipe {self.name}: no layer matches {rule.pattern!r}; there are {near}")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        InputError: absent, not JSON, or with an unknown field, precision or estimator.
    """
    value = read_json(path)
    try:
        return msgspec.convert(value, Recipe)
    except msgspec.ValidationError as error:
        raise InputError(f"{path} is no recipe: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _nearest(pattern: str, layers: Sequence[str], most: int = 5) -> str:
    import difflib

    plain = re.sub(r"[^\w/]", "", pattern)
    return ", ".join(difflib.get_close_matches(plain, layers, most, cutoff=0) or layers[:most])

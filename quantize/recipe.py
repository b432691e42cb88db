"""Which precision each layer gets: a JSON file that names layers by pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from model.foundation.artifact import read_json
from model.foundation.errors import InputError

Precision = Literal["int8", "float16", "float32"]
Estimator = Literal["min_max", "mean_min_max", "percentile", "mse", "entropy"]


@dataclass(frozen=True)
class LayerRule:
    """Layers whose name a regular expression matches (re.search), and their precision.

    int8: weights per output channel, activations per tensor. float16: weights as float16, computed in
    float32. float32: untouched.
    """

    pattern: str
    precision: Precision


@dataclass(frozen=True)
class Recipe:
    """A quantization recipe.

    Attributes:
        name: Goes into the file's name, e.g. "int8_fp16".
        layers: Rules; for each layer the last one that matches counts.
        estimator: How activation ranges come from images: the extremes over all of them ("min_max"), the
            mean of each image's extremes ("mean_min_max"), all values but one in 10,000 ("percentile"),
            the least squared error ("mse"), or the least loss of information ("entropy").
        bias_correction: Whether the INT8 layers' biases are corrected on calibration images.
    """

    name: str
    layers: tuple[LayerRule, ...]
    estimator: Estimator = "min_max"
    bias_correction: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise InputError(f"a recipe's name is of lower-case letters, digits and _, found {self.name!r}")
        _one_of("estimator", self.estimator, get_args(Estimator))
        for rule in self.layers:
            _one_of("precision", rule.precision, get_args(Precision))
            try:
                re.compile(rule.pattern)
            except re.error as error:
                raise InputError(
                    f"recipe {self.name}: {rule.pattern!r} is no regular expression: {error}"
                ) from None

    @property
    def is_static(self) -> bool:
        """Whether any rule asks for int8, so that activation ranges are needed."""
        return any(rule.precision == "int8" for rule in self.layers)

    def precision_of(self, layer: str) -> Precision:
        """The precision of a layer by its name; float32 where no rule matches."""
        precision: Precision = "float32"
        for rule in self.layers:
            if re.search(rule.pattern, layer):
                precision = rule.precision
        return precision

    def check_layers(self, layers: Sequence[str]) -> None:
        """Refuse a rule that matches nothing.

        Raises:
            InputError: a pattern matches none of the model's layers; the message names some that exist.
        """
        for rule in self.layers:
            if not any(re.search(rule.pattern, layer) for layer in layers):
                near = _nearest(rule.pattern, layers)
                raise InputError(f"recipe {self.name}: no layer matches {rule.pattern!r}; there are {near}")

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON values; `read_recipe` reads it back."""
        value: dict[str, Any] = {
            "name": self.name,
            "estimator": self.estimator,
            "layers": [{"match": rule.pattern, "precision": rule.precision} for rule in self.layers],
        }
        return value | ({"bias_correction": True} if self.bias_correction else {})


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        InputError: absent, not JSON, or with an unknown field, precision or estimator.
    """
    value = read_json(path)
    _known_fields(
        path, value, {"name", "estimator", "layers", "bias_correction"}, required={"name", "layers"}
    )
    if not isinstance(value["layers"], list):
        raise InputError(f"{path}: layers is a list of rules, found {value['layers']!r}")
    rules = []
    for entry in value["layers"]:
        _known_fields(path, entry, {"match", "precision"}, required={"match", "precision"})
        rules.append(LayerRule(entry["match"], entry["precision"]))
    correct = value.get("bias_correction", False)
    if not isinstance(correct, bool):
        raise InputError(f"{path}: bias_correction is true or false, found {correct!r}")
    return Recipe(value["name"], tuple(rules), value.get("estimator", "min_max"), correct)


def _known_fields(path: Path, value: Any, known: set[str], required: set[str]) -> None:
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected an object with {', '.join(sorted(known))}, found {value!r}")
    if unknown := sorted(set(value) - known):
        raise InputError(f"{path}: unknown field {unknown[0]!r}; expected {', '.join(sorted(known))}")
    if missing := sorted(required - set(value)):
        raise InputError(f"{path}: missing field {missing[0]!r}")
    for field in sorted({"name", "match", "precision", "estimator"} & set(value)):
        if not isinstance(value[field], str):
            raise InputError(f"{path}: {field} is a text, found {value[field]!r}")


def _one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"unknown {what} {value!r}: expected one of {', '.join(allowed)}")


def _nearest(pattern: str, layers: Sequence[str], most: int = 5) -> str:
    import difflib

    plain = re.sub(r"[^\w/]", "", pattern)
    return ", ".join(difflib.get_close_matches(plain, layers, most, cutoff=0) or layers[:most])

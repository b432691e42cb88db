"""Is lint true? Its errors beside what was measured, on pairs of a detector and a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.foundation.errors import InputError
from quantize.inspect.lint.linting import lint_file
from quantize.recipe import Recipe

GRAVE = 2.0
"""An error foretells that more points of AP are lost than this."""


@dataclass(frozen=True)
class Pair:
    """A detector, a recipe, and what the recipe cost it.

    Attributes:
        model: Float file, .tflite or .onnx, below the folder of models.
        recipe: What was applied.
        set: Where AP was measured, and at which size.
        float_ap, quantized_ap: AP at IoU 0.5 x 100.
        note: What is particular about it.
    """

    model: str
    recipe: Recipe
    set: str
    float_ap: float
    quantized_ap: float
    note: str = ""


@dataclass(frozen=True)
class Pairs:
    """What `pairs.json` holds."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Verdict:
    """A pair and the rules that called it an error."""

    pair: Pair
    rules: tuple[str, ...]

    @property
    def foretold(self) -> bool:
        """Whether lint said error."""
        return bool(self.rules)

    @property
    def grave(self) -> bool:
        """Whether more than GRAVE points were lost."""
        return self.pair.float_ap - self.pair.quantized_ap > GRAVE


def judge(pairs: Sequence[Pair], models: Path) -> list[Verdict]:
    """Lint each pair's float file with its recipe.

    Raises:
        InputError: there is no pair, or a file is missing or cannot be read.
    """
    if not pairs:
        raise InputError("no pair of a detector and a recipe to judge lint by")
    return [Verdict(one, _errors(models / one.model, one.recipe)) for one in pairs]


def _errors(model: Path, recipe: Recipe) -> tuple[str, ...]:
    if not model.is_file():
        raise InputError(f"no such model file: {model}")
    return tuple(dict.fromkeys(one.rule for one in lint_file(model, recipe) if one.level == "error"))


def table(verdicts: list[Verdict]) -> str:
    """The pairs as a Markdown table, and how far lint's errors and the losses agree."""
    head = "| float file | recipe | on | float | quantized | change | lint says error for | |"
    true = sum(one.foretold and one.grave for one in verdicts)
    grave, foretold = (sum(getattr(one, name) for one in verdicts) for name in ("grave", "foretold"))
    agreement = (
        f"{len(verdicts)} pairs; {grave} lost more than {GRAVE:g} points, {true} of them called an error; "
        f"of {foretold} called an error {true} lost so much"
    )
    return "\n".join([head, "|" + " --- |" * 8, *map(_row, verdicts), "", agreement])


def _row(one: Verdict) -> str:
    pair = one.pair
    name = f"{pair.model}, {pair.note}" if pair.note else pair.model
    cells = (
        name,
        f"{pair.recipe.name}, {pair.recipe.estimator}",
        pair.set,
        f"{pair.float_ap:.2f}",
        f"{pair.quantized_ap:.2f}",
        f"{pair.quantized_ap - pair.float_ap:+.2f}",
        ", ".join(one.rules) or "-",
        "" if one.foretold == one.grave else "wrong",
    )
    return f"| {' | '.join(cells)} |"

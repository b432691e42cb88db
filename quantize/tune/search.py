"""The smallest or fastest assignment of INT8 and FP16 to layers whose AP falls by no more than a limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.foundation.artifact import read_json
from model.foundation.errors import InputError
from quantize.cost import Objective
from quantize.recipe import Recipe
from quantize.tune.recipe_layers import Layer
from quantize.tune.sensitivity import all_int8, except_for
from quantize.tune.trials import Bench, Trial

MOST_VERIFIED = 6
"""So many candidates at most are scored on the held-aside images."""


def price(trial: Trial, objective: Objective) -> float:
    """What a file costs: millions of instructions by the counted layers, or bytes.

    Raises:
        InputError: it has layers like none that was counted on the core.
    """
    if objective == "bytes":
        return float(trial.bytes)
    if objective not in trial.million_instructions:
        raise InputError(f"nothing is known of some layers' cost on {objective}: choose --objective bytes")
    return trial.million_instructions[objective]


@dataclass(frozen=True)
class Candidate:
    """An assignment that was tried.

    Attributes:
        in_float: Layers with float16 weights; all others are INT8.
        trial: On the images that the search chooses by.
        drop: AP points below the float file, on those images: what the limit limits. Shown and written is
            the `change`, as of every drift.
        cost: Its `price`.
        verified_drop: The same on held-aside images; None where it was not verified.
        verified: That trial.
    """

    in_float: tuple[Layer, ...]
    trial: Trial
    drop: float
    cost: float
    verified_drop: float | None = None
    verified: Trial | None = None

    def to_json(self) -> dict[str, Any]:
        """A row of the table of candidates."""
        verified = None if self.verified is None else vars(self.verified)
        return {
            "in_float": [layer.name for layer in self.in_float],
            "change": change(self.drop),
            "bytes": self.trial.bytes,
            "cost": self.cost,
            "verified_change": change(self.verified_drop),
            "trial": vars(self.trial),
            "verified": verified,
        }


def change(drop: float | None) -> float | None:
    """A drop by the sign of every drift, candidate - reference: below zero is worse."""
    return None if drop is None else round(-drop, 3) + 0.0  # + 0.0: no minus before a zero


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        winner: The cheapest candidate within the limit on both parts, or the best if none is.
        within_limit: False where no candidate is within the limit on both parts.
        candidates: All that were tried, in order.
        floats: The float file on the images to choose by and on those held aside.
        objective: What was made small.
    """

    winner: Candidate
    within_limit: bool
    candidates: tuple[Candidate, ...]
    floats: tuple[Trial, Trial]
    objective: Objective

    @property
    def prices(self) -> dict[str, Callable[[Candidate], float]]:
        """What candidates are compared by besides their drop: name and unit -> of a candidate."""
        found: dict[str, Callable[[Candidate], float]] = {"bytes": lambda one: one.trial.bytes}
        if self.objective != "bytes":
            found[f"M instructions on {self.objective}"] = lambda one: one.cost
        return found


class Search:
    """Greedy on sensitivities.

    Float for the most sensitive layers until the drop is within the limit, then INT8 again for each of
    them that can be spared, dearest first.

    Args:
        bench: Chooses.
        verify: Verifies, on other images.
        order: Layers, most sensitive first.
        limit: Largest drop in AP points.
        objective: What is made small.
        estimator: Of the activation bounds that both benches hold.
    """

    def __init__(
        self,
        bench: Bench,
        verify: Bench,
        order: Sequence[Layer],
        limit: float,
        objective: Objective,
        estimator: str,
    ) -> None:
        self._bench, self._verify, self._limit, self._objective = bench, verify, limit, objective
        self._estimator = estimator
        self._order = list(order)
        self._seen: dict[frozenset[str], Candidate] = {}

    def run(self, shown: Callable[[Candidate], None] = lambda _: None) -> Found:
        """Search, then verify the cheapest candidates within the limit.

        Args:
            shown: Is called with each new candidate.
        """
        self._shown = shown
        for count in self._spread():
            self._try(self._order[:count])
        needed = self._shortest_prefix()
        if needed is not None:
            self._spare(self._order[:needed])
        return self._verified()

    def _spread(self) -> list[int]:
        """0, 1, 2, 4 ... of the most sensitive layers, and all: the rough shape of the front."""
        count = len(self._order)
        return [0, *(1 << power for power in range(count.bit_length()) if 1 << power < count), count]

    def _try(self, in_float: Sequence[Layer]) -> Candidate:
        key = _key(in_float)
        if key not in self._seen:
            trial = self._bench.try_recipe(self.recipe(in_float))
            drop = self._bench.float_file().ap50 - trial.ap50
            candidate = Candidate(tuple(in_float), trial, drop, price(trial, self._objective))
            self._seen[key] = candidate
            self._shown(candidate)
        return self._seen[key]

    def recipe(self, in_float: Sequence[Layer]) -> Recipe:
        """Layers in float16, all others in INT8."""
        ordered = [layer for layer in self._order if layer in in_float]
        return except_for(ordered, self._estimator) if ordered else all_int8(self._estimator)

    def _fits(self, count: int) -> bool:
        return self._try(self._order[:count]).drop <= self._limit

    def _shortest_prefix(self) -> int | None:
        """How many of the most sensitive layers must be float: between two of the spread, by halving."""
        high = next((count for count in self._spread() if self._fits(count)), None)
        if high is None:
            return None
        low = max((count for count in self._spread() if count < high), default=-1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._fits(middle) else (middle, high)
        return high

    def _spare(self, in_float: Sequence[Layer]) -> None:
        kept = list(in_float)
        for layer in sorted(in_float, key=lambda one: (one.macs, one.weights), reverse=True):
            without = [one for one in kept if one is not layer]
            if self._try(without).drop <= self._limit:
                kept = without

    def _verified(self) -> Found:
        """The cheapest candidate within the limit on both parts.

        A few of the cheapest are verified, then the spread's with more and more layers in float: what is
        within the limit by luck on one half is not on the other.
        """
        floats = self._bench.float_file(), self._verify.float_file()
        within = sorted(
            (one for one in self._seen.values() if one.drop <= self._limit),
            key=lambda c: (c.cost, c.trial.bytes),
        )
        safer = [one for one in map(self._prefix, self._spread()) if one in within[MOST_VERIFIED:]]
        # Nothing within the limit: the best there is, cheapest among equals.
        best = sorted(self._seen.values(), key=lambda c: (c.drop, c.cost))[:1]
        checked = []
        for candidate in [*within[:MOST_VERIFIED], *safer] or best:
            trial = self._verify.try_recipe(self.recipe(candidate.in_float))
            drop = floats[1].ap50 - trial.ap50
            checked.append(replace(candidate, verified=trial, verified_drop=drop))
            self._seen[_key(candidate.in_float)] = checked[-1]
            if within and drop <= self._limit:
                return Found(checked[-1], True, tuple(self._seen.values()), floats, self._objective)
        least = min(checked, key=lambda c: (c.verified_drop or 0.0, c.cost))
        return Found(least, False, tuple(self._seen.values()), floats, self._objective)

    def _prefix(self, count: int) -> Candidate:
        return self._try(self._order[:count])


def _key(in_float: Sequence[Layer]) -> frozenset[str]:
    return frozenset(layer.name for layer in in_float)


def recipe_name(path: Path, network: str) -> str:
    """What a recipe that is written to `path` is called, and then a part of its file's name: as its own file,
    without the network, in lower-case letters, digits and _."""
    return re.sub(r"[^a-z0-9]+", "_", path.stem.lower().removeprefix(f"{network}_")).strip("_") or "searched"


def pareto(candidates: Sequence[Candidate], price: Callable[[Candidate], float]) -> list[Candidate]:
    """The candidates that no other beats in both price and drop, cheapest first."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (price(c), c.drop)):
        if not front or candidate.drop < front[-1].drop:
            front.append(candidate)
    return front


def ranked_layers(path: Path, layers: Sequence[Layer]) -> list[Layer]:
    """A file's layers in the order of a table that `sensitivity` wrote, most sensitive first.

    Raises:
        InputError: the table is no such table, or is of other layers.
    """
    by_name = {layer.name: layer for layer in layers}
    rows = read_json(path).get("layers")
    names = [str(row.get("layer")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if set(names) != set(by_name):
        odd = sorted(set(names) ^ set(by_name))
        raise InputError(f"{path} is not of this model's layers: {', '.join(odd[:3])} on one side only")
    return [by_name[name] for name in dict.fromkeys(names)]


def chosen_layers(layers: Sequence[Layer], only: str | None) -> list[Layer]:
    """Layers whose name a regular expression matches; all without one.

    Raises:
        InputError: it matches none.
    """
    try:
        found = [layer for layer in layers if only is None or re.search(only, layer.name)]
    except re.error as error:
        raise InputError(f"--layers: {only!r} is no regular expression: {error}") from None
    if not found:
        raise InputError(
            f"no layer matches {only!r}; there are {', '.join(one.name for one in layers[:5])} ..."
        )
    return found

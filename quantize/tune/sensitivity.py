"""What each layer costs in INT8 and what it would give back in float, on the real TFLite file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from model.foundation.command_line.progress import tracked
from quantize.precision import FLOAT16, INT8
from quantize.recipe import LayerRule, Recipe
from quantize.tune.recipe_layers import Layer
from quantize.tune.trials import Bench, Trial

OUTPUTS = ("boxes", "scores", "landmarks")
EQUAL_DB = 120.0
"""Stands for the ratio of equal outputs, above any that float arithmetic leaves."""


@dataclass(frozen=True)
class Sensitivity:
    """What INT8 of one layer alone costs, and what float of it alone gives back.

    Attributes:
        layer: Which one.
        only_int8: The file in which only this layer is INT8.
        only_float: The INT8 file in which only this layer has float16 weights and float arithmetic; None
            where only the damage was measured.
        damage: AP points that INT8 of this layer alone costs the float file.
        damage_db: Lowest SQNR of the three outputs with only this layer in INT8.
        repair: AP points that float of this layer alone gives the INT8 file.
        repair_db: Mean gain of the three outputs' SQNR over the INT8 file's.
    """

    layer: Layer
    only_int8: Trial
    only_float: Trial | None
    damage: float
    damage_db: float
    repair: float | None = None
    repair_db: float | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """For sorting, most sensitive last: AP points both ways in halves, then decibels.

        On a few hundred images less than half a point is noise; the ratios are not.
        """
        points = self.damage + (self.repair or 0.0)
        return (max(0.0, round(2 * points) / 2), (self.repair_db or 0.0) - self.damage_db)

    def to_json(self) -> dict[str, Any]:
        """One row of the table, scalars only."""
        row: dict[str, Any] = {
            "layer": self.layer.name,
            "operators": "+".join(dict.fromkeys(self.layer.operators)),
            "macs": self.layer.macs,
            "weights": self.layer.weights,
            "damage_ap50": round(self.damage, 2),
            "repair_ap50": None if self.repair is None else round(self.repair, 2),
            "damage_db": self.damage_db,
            "repair_db": self.repair_db,
        }
        for when, trial in (("int8_only", self.only_int8), ("float_only", self.only_float)):
            if trial is None:
                continue
            row |= {f"{when}_{name}_db": trial.sqnr_db.get(name) for name in OUTPUTS}
            row |= {
                f"{when}_recall_{band.replace(' ', '_').replace('-', '_')}": _share(*counts)
                for band, counts in trial.recall.items()
            }
        return row


def _share(faces: int, found: int) -> float | None:
    return round(found / faces, 4) if faces else None


@dataclass(frozen=True)
class SensitivityTable:
    """All layers of a file, most sensitive first, and the two files they are compared with."""

    float_file: Trial
    int8_file: Trial
    rows: tuple[Sensitivity, ...]
    images: int

    def to_json(self, title: str) -> dict[str, Any]:
        """A table that the report takes with --layers."""
        return {
            "kind": "sensitivity",
            "title": title,
            "images": self.images,
            "float": vars(self.float_file),
            "int8": vars(self.int8_file),
            "layers": [row.to_json() for row in self.rows],
        }


def all_int8(estimator: str) -> Recipe:
    """Every layer in INT8."""
    return Recipe(INT8.name, (LayerRule(".", INT8.name),), estimator)


def except_for(layers: Sequence[Layer], estimator: str, name: str = "int8_fp16") -> Recipe:
    """Every layer in INT8 but these."""
    rules = [LayerRule(layer.pattern, FLOAT16.name) for layer in layers]
    return Recipe(name, (LayerRule(".", INT8.name), *rules), estimator)


def measure_sensitivity(
    bench: Bench, layers: Sequence[Layer], estimator: str, *, repairs: bool = True
) -> SensitivityTable:
    """Try each layer both ways; what the bench has tried before is not repeated.

    Args:
        bench: The float file, its activation bounds and the labelled images.
        layers: Which ones.
        estimator: That the bounds are by; it is part of a trial's key.
        repairs: Whether to try each layer as the only float one too.
    """
    whole_float, whole_int8 = bench.float_file(), bench.try_recipe(all_int8(estimator))
    rows = []
    for layer in tracked(layers, f"{bench.model.name}: each layer alone in INT8"):
        alone = bench.try_recipe(Recipe("only", (LayerRule(layer.pattern, INT8.name),), estimator))
        damage = whole_float.ap50 - alone.ap50
        rows.append(Sensitivity(layer, alone, None, damage, min(ratio(alone, n) for n in OUTPUTS)))
    if repairs:
        rows = [
            _with_repair(row, bench.try_recipe(except_for([row.layer], estimator)), whole_int8)
            for row in tracked(rows, f"{bench.model.name}: each layer alone in float")
        ]
    ranked = sorted(rows, key=lambda row: row.rank, reverse=True)
    return SensitivityTable(whole_float, whole_int8, tuple(ranked), len(bench.images))


def _with_repair(row: Sensitivity, spared: Trial, whole: Trial) -> Sensitivity:
    gain = sum(ratio(spared, name) - ratio(whole, name) for name in OUTPUTS) / len(OUTPUTS)
    return replace(row, only_float=spared, repair=spared.ap50 - whole.ap50, repair_db=round(gain, 2))


def ratio(trial: Trial, output: str) -> float:
    """An output's SQNR in dB; EQUAL_DB where nothing differs."""
    found = trial.sqnr_db.get(output)
    return EQUAL_DB if found is None else found

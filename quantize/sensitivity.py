"""What each layer costs in INT8 and what it would give back in float, on the real TFLite file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.progress import track

from quantize.candidates import Bench, Trial
from quantize.layers import Layer
from quantize.recipe import Estimator, LayerRule, Recipe

OUTPUTS = ("boxes", "scores", "landmarks")
EQUAL_DB = 120.0
"""Stands for the ratio of equal outputs, above any that float arithmetic leaves."""


@dataclass(frozen=True)
class Sensitivity:
    """One layer's.

    Attributes:
        layer: It.
        only_int8: The file in which only this layer is INT8.
        only_float: The INT8 file in which only this layer has float16 weights and float arithmetic.
        damage: AP points that INT8 of this layer alone costs the float file.
        repair: AP points that float of this layer alone gives the INT8 file.
        damage_db: Lowest SQNR of the three outputs with only this layer in INT8.
        repair_db: Mean gain of the three outputs' SQNR over the INT8 file's.
    """

    layer: Layer
    only_int8: Trial
    only_float: Trial
    damage: float
    repair: float
    damage_db: float
    repair_db: float

    @property
    def rank(self) -> tuple[float, float]:
        """For sorting, most sensitive last: AP points both ways to the tenth, then decibels.

        On a few hundred images a tenth of a point is noise; the ratios are not.
        """
        return (round(self.damage + self.repair, 1), self.repair_db)

    def to_json(self) -> dict[str, Any]:
        """One row of the table, scalars only."""
        row: dict[str, Any] = {
            "layer": self.layer.name,
            "operators": "+".join(dict.fromkeys(self.layer.operators)),
            "macs": self.layer.macs,
            "weights": self.layer.weights,
            "damage_ap50": round(self.damage, 2),
            "repair_ap50": round(self.repair, 2),
            "damage_db": self.damage_db,
            "repair_db": self.repair_db,
        }
        for when, trial in (("int8_only", self.only_int8), ("float_only", self.only_float)):
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


def all_int8(estimator: Estimator) -> Recipe:
    """Every layer in INT8."""
    return Recipe("int8", (LayerRule(".", "int8"),), estimator)


def except_for(layers: Sequence[Layer], estimator: Estimator, name: str = "int8_fp16") -> Recipe:
    """Every layer in INT8 but these."""
    rules = [LayerRule(layer.pattern, "float16") for layer in layers]
    return Recipe(name, (LayerRule(".", "int8"), *rules), estimator)


def measure_sensitivity(bench: Bench, layers: Sequence[Layer], estimator: Estimator) -> SensitivityTable:
    """Try each layer both ways; what the bench has tried before is not repeated."""
    whole_float, whole_int8 = bench.float_file(), bench.try_recipe(all_int8(estimator))
    rows = []
    for layer in track(layers, f"sensitivity of {bench.model.name}"):
        alone = bench.try_recipe(Recipe("only", (LayerRule(layer.pattern, "int8"),), estimator))
        spared = bench.try_recipe(except_for([layer], estimator))
        rows.append(
            Sensitivity(
                layer,
                alone,
                spared,
                whole_float.ap50 - alone.ap50,
                spared.ap50 - whole_int8.ap50,
                min(_ratio(alone, name) for name in OUTPUTS),
                round(sum(_ratio(spared, n) - _ratio(whole_int8, n) for n in OUTPUTS) / len(OUTPUTS), 2),
            )
        )
    ranked = sorted(rows, key=lambda row: row.rank, reverse=True)
    return SensitivityTable(whole_float, whole_int8, tuple(ranked), len(bench.images))


def _ratio(trial: Trial, output: str) -> float:
    ratio = trial.sqnr_db.get(output)
    return EQUAL_DB if ratio is None else ratio

"""How many calibration images are enough: AP of the quantized file against their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import structs

from quantize.calibrate.meter import RangeMeter
from quantize.recipe import Recipe
from quantize.tune.trials import Trial

if TYPE_CHECKING:
    from quantize.tune.subject import Subject

FIRST = 8


@dataclass(frozen=True)
class Point:
    """A quantized file whose ranges are of so many images.

    Attributes:
        images: Number of calibration images.
        trial: What the file reaches on the labelled images.
        unstable: Tensors whose scale differs by more than 20 % between the halves of these images.
    """

    images: int
    trial: Trial
    unstable: int


@dataclass(frozen=True)
class CalibrationCurve:
    """Points at 8, 16, 32 ... images and at all of them, and the float file."""

    float_file: Trial
    points: tuple[Point, ...]

    def to_json(self, title: str) -> dict[str, Any]:
        """A table that the report takes with --layers."""
        rows = []
        for point in self.points:
            row: dict[str, Any] = {"images": point.images, "ap50": round(point.trial.ap50, 2)}
            row["change"] = round(point.trial.ap50 - self.float_file.ap50, 2)
            row |= {f"{name}_db": value for name, value in point.trial.sqnr_db.items()}
            row["unstable_tensors"] = point.unstable
            rows.append(row)
        return {"kind": "calibration_curve", "title": title, "float": vars(self.float_file), "layers": rows}


def measure_curve(subject: Subject, recipe: Recipe) -> CalibrationCurve:
    """Measure ranges on growing numbers of images, each set holding the ones before."""
    recipe = structs.replace(recipe, estimator=subject.estimator)
    meter = RangeMeter(subject.model)
    points: list[Point] = []
    images = subject.calibration_images()
    bench = subject.bench("search", None)
    whole = bench.float_file()
    for count, image in enumerate(images, 1):
        meter.add(image)
        if count in _steps(len(images)):
            trial = subject.bench("search", None, meter.ranges()).try_recipe(recipe)
            points.append(Point(count, trial, len(meter.unstable())))
    return CalibrationCurve(whole, tuple(points))


def _steps(total: int) -> list[int]:
    def doubling() -> Iterator[int]:
        count = FIRST
        while count < total:
            yield count
            count *= 2

    return [*doubling(), total]

"""Recipes tried on the real file: quantized, scored, compared with float; none is ever tried twice."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calibration_data.readers import LabelledImage
from convert.difference import TensorSums
from convert.tflite.graph import read_graph
from model.evaluation import evaluate
from model.evaluation.average_precision import Matched
from model.evaluation.loop import Seen
from model.foundation.artifact import sha256_of
from model.foundation.command_line.progress import tracked
from model.foundation.errors import InputError
from model.foundation.journal import Journal
from model.foundation.records import to_json
from model.foundation.workers import Workers
from model.geometry.spec import DetectorSpec
from model.runtime.running import RawOutputs, open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.ranges import Bounds
from quantize.cost import TABLE
from quantize.cost.model import million_instructions
from quantize.recipe import Recipe

COMPARED_IMAGES = 32
"""The first so many images give the signal-to-noise ratios."""


@dataclass(frozen=True)
class Trial:
    """What a recipe made of a file.

    Attributes:
        bytes: Of the file.
        ap50: AP at IoU 0.5 in points (0..100).
        sqnr_db: Output -> 10 log10(sum f^2 / sum (f - q)^2) against the float file; None if equal.
        recall: Band of face heights in pixels of the input -> (faces, found at the score floor).
        million_instructions: Core -> of one inference; no core where a layer's kernel was not counted.
    """

    bytes: int
    ap50: float
    sqnr_db: dict[str, float | None]
    recall: dict[str, tuple[int, int]]
    million_instructions: dict[str, float] = field(default_factory=dict)


class Bench:
    """Tries recipes on one float file and one list of labelled images, and keeps every result.

    Results stand in a journal, keyed by everything that decides them (float file, bounds, images, recipe, the
    table of costs).
    """

    def __init__(
        self,
        model: Path,
        bounds: Bounds,
        images: Sequence[LabelledImage],
        journal: Path | None,
        spec: DetectorSpec | None = None,
    ) -> None:
        if not images:
            raise InputError("no labelled image to try recipes on")
        self.model, self.bounds, self.images, self.spec = model, dict(bounds), list(images), spec
        pictures = [[image.name, sha256_of(image.path), image.boxes_xyxy.tolist()] for image in images]
        content = [sha256_of(model), sha256_of(TABLE), sorted(self.bounds.items()), pictures]
        self.setting = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        self._done = Journal(journal, Trial)
        self._float: list[RawOutputs] = []
        self._trial_of_float: Trial | None = None
        self.tried = 0

    def float_file(self) -> Trial:
        """The float file itself."""
        if self._trial_of_float is None:
            matched = self._matched(self.model, self._keep)
            self._trial_of_float = _trial(self.model, matched, {})
        return self._trial_of_float

    def _matched(self, file: Path, seen: Seen) -> Matched:
        running = open_model(file, self.spec)
        return evaluate(running, self.images, ious=(0.5,), keep=True, seen=seen).matched

    def _keep(self, index: int, outputs: RawOutputs) -> None:
        if index < COMPARED_IMAGES:
            self._float.append(outputs)

    def key(self, recipe: Recipe) -> str:
        """Under which a recipe's result is kept."""
        content = json.dumps({**to_json(recipe), "name": ""}, sort_keys=True)
        return hashlib.sha256(f"{self.setting}{content}".encode()).hexdigest()[:24]

    def knows(self, recipe: Recipe) -> bool:
        """Whether a recipe was tried before, in this run or an earlier one."""
        return self.key(recipe) in self._done

    def try_recipe(self, recipe: Recipe) -> Trial:
        """Quantize with a recipe and score the file, unless that was done before."""
        key = self.key(recipe)
        if key not in self._done:
            self.float_file()
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "candidate.tflite"
                with contextlib.redirect_stderr(io.StringIO()):  # the quantizer's own progress, each time
                    apply_recipe(recipe, self.model, dict(self.bounds), file)
                self._done.add(key, self.score(file))
            self.tried += 1
        return self._done[key]

    def try_all(self, recipes: Sequence[Recipe], workers: Workers, said: str) -> None:
        """Try recipes that do not depend on each other, by several workers; none is tried twice.

        Args:
            recipes: In any order.
            workers: Who tries them. Each result is kept as soon as it is there.
            said: Beside the progress.

        Raises:
            InputError: a worker has another float file or other images.
        """
        new = {self.key(recipe): recipe for recipe in recipes if not self.knows(recipe)}
        _replicas[self.setting] = self
        what = (self.setting, self.model.absolute(), self.bounds, self.images, self.spec)
        pieces = [_Piece(*what, recipe) for recipe in new.values()]
        for piece, trial in tracked(workers.each(_try, pieces), said, total=len(pieces)):
            if not self.knows(piece.recipe):
                self._done.add(self.key(piece.recipe), trial)
                self.tried += 1

    def score(self, file: Path) -> Trial:
        """A quantized file of this float file, however it was made; kept nowhere."""
        self.float_file()
        sums = {name: TensorSums() for name in ("boxes", "scores", "landmarks")}

        def compare(index: int, outputs: RawOutputs) -> None:
            if index < COMPARED_IMAGES:
                for one, a, b in zip(sums.values(), self._float[index].values, outputs.values, strict=True):
                    one.add(a, b)

        matched = self._matched(file, compare)
        ratios = {name: one.result().sqnr_db for name, one in sums.items()}
        rounded = {name: None if value is None else round(value, 2) for name, value in ratios.items()}
        return _trial(file, matched, rounded)


def _trial(file: Path, matched: Matched, sqnr_db: dict[str, float | None]) -> Trial:
    recall = {band: (one.faces, one.found) for band, one in matched.recall_by_height().items()}
    ap50 = round(100 * matched.average_precision(), 4)
    return Trial(file.stat().st_size, ap50, sqnr_db, recall, million_instructions(read_graph(file)))


@dataclass(frozen=True, eq=False)
class _Piece:
    """A recipe with all that it is tried on: what a worker is given."""

    setting: str
    model: Path
    bounds: Bounds
    images: list[LabelledImage]
    spec: DetectorSpec | None
    recipe: Recipe


_replicas: dict[str, Bench] = {}
"""The bench of this process, by its setting: the float file runs once a worker, not once a recipe."""


def _try(piece: _Piece) -> Trial:
    if piece.setting not in _replicas:
        bench = Bench(piece.model, piece.bounds, piece.images, None, piece.spec)
        if bench.setting != piece.setting:
            raise InputError(f"{piece.model} or one of its images is another file on this worker")
        _replicas.clear()
        _replicas[piece.setting] = bench
    return _replicas[piece.setting].try_recipe(piece.recipe)

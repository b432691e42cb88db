"""What a quantized file answers on the calibration images; an app holds what it sees against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.geometry.decoders import decoder_of
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec
from model.runtime.running import Answer, RawOutputs, RunningModel

SCORE_EDGES = (0.004, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.5, 0.7, 0.85)
"""Between the bins of the histogram: the lower, the narrower, because almost all candidates are no face."""
POSSIBLE_FACE = 0.5
"""A picture has something like a face from this share of the threshold upwards."""


@dataclass(frozen=True)
class PictureOutputs:
    """One picture's outputs in three figures.

    Attributes:
        score_counts: Candidates in each bin, one more than SCORE_EDGES; an edge belongs to the bin above.
        surest: The greatest score.
        saturated_share: Integers at either end of their range, of all that the file returns; 0 for floats.
    """

    score_counts: tuple[int, ...]
    surest: float
    saturated_share: float

    @classmethod
    def of(cls, outputs: RawOutputs, spec: DetectorSpec) -> PictureOutputs:
        """Count what a model returned for one picture."""
        scores = (
            decoder_of(spec).classes(outputs.values[1].reshape(spec.output_shapes[1][1:]), spec).max(axis=1)
        )
        bins = np.searchsorted(np.asarray(SCORE_EDGES, np.float32), scores, side="right")
        counts = np.bincount(bins, minlength=len(SCORE_EDGES) + 1)
        ends = [
            np.isin(one, (np.iinfo(one.dtype).min, np.iinfo(one.dtype).max))
            for one in outputs.stored
            if one.dtype.kind in "iu"
        ]
        saturated = sum(int(one.sum()) for one in ends) / max(1, sum(one.size for one in outputs.stored))
        return cls(tuple(counts.tolist()), float(scores.max()), saturated)


@dataclass(frozen=True)
class OutputStatistics:
    """The outputs on all calibration images.

    Attributes:
        images: How many.
        score_edges: SCORE_EDGES.
        score_shares: Candidates in each bin, of all.
        possible_face: A picture whose greatest score is above this has something like a face.
        surest_lower_quartile: A quarter of those pictures' greatest scores are below this.
        saturated_share: As a PictureOutputs', the mean.
    """

    images: int
    score_edges: tuple[float, ...]
    score_shares: tuple[float, ...]
    possible_face: float
    surest_lower_quartile: float
    saturated_share: float

    @classmethod
    def of(cls, pictures: Sequence[PictureOutputs], spec: DetectorSpec) -> OutputStatistics | None:
        """Sum up; None where no picture has a possible face, which says nothing about pictures with some."""
        possible = POSSIBLE_FACE * spec.score_threshold
        surest = [one.surest for one in pictures if one.surest > possible]
        if not surest:
            return None
        counts = np.sum([one.score_counts for one in pictures], axis=0)
        return cls(
            images=len(pictures),
            score_edges=SCORE_EDGES,
            score_shares=tuple((counts / counts.sum()).round(6).tolist()),
            possible_face=possible,
            surest_lower_quartile=float(np.quantile(surest, 0.25)),
            saturated_share=float(np.mean([one.saturated_share for one in pictures])),
        )


class OutputTally:
    """Counts a model's outputs while somebody else looks at its answers."""

    def __init__(self, model: RunningModel) -> None:
        self._model = model
        self._pictures: list[PictureOutputs] = []

    def __call__(self, input_rgb: Pixels) -> Answer:
        """As the model's."""
        outputs = self._model.run(input_rgb)
        self._pictures.append(PictureOutputs.of(outputs, self._model.spec))
        return outputs.values

    def statistics(self) -> OutputStatistics | None:
        """Of all pictures so far; None without a possible face on any."""
        return OutputStatistics.of(self._pictures, self._model.spec)

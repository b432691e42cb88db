"""Paired bootstrap over images: how sure a difference between two models on the same images is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.int64]
Statistic = Callable[[Weights | None], float]
"""A figure of one model, with each image counted `weights` times (int [images]; once if None)."""

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """A figure of two models and the interval of its difference; None where it is undefined.

    Attributes:
        reference, candidate: The figure of each on all images.
        difference: candidate - reference.
        low, high: Percentile interval of the difference at 95 %.
    """

    reference: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None


def resampled_images(images: int, resamples: int = RESAMPLES, seed: int = 0) -> Weights:
    """Bootstrap samples of images as counts, int64 [resamples, images]; each row sums to `images`."""
    if not images:
        return np.zeros((resamples, 0), np.int64)
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=resamples)


def paired_difference(reference: Statistic, candidate: Statistic, samples: Weights) -> PairedDifference:
    """The difference of a figure and its interval: both models see the same resampled images.

    Args:
        reference, candidate: The figure of each model.
        samples: int [resamples, images], from `resampled_images`.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
    """
    whole = (reference(None), candidate(None))
    if not np.isfinite(whole).all():
        return PairedDifference(_number(whole[0]), _number(whole[1]), None, None, None)
    draws = np.asarray([candidate(one) - reference(one) for one in samples])
    draws = draws[np.isfinite(draws)]  # a sample without any face has no AP
    if not len(draws):
        return PairedDifference(*whole, whole[1] - whole[0], None, None)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return PairedDifference(*whole, whole[1] - whole[0], float(low), float(high))


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None

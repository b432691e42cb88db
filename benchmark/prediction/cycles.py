"""Predicted latency: instructions times cycles per instruction over the clock. Never a measurement.

Cycles per instruction (CPI) are fitted to published latencies of public networks, whose instructions are
counted with the same emulator and LiteRT: CPI = latency x clock x threads / instructions. With several
threads it contains what threads lose to each other and to memory. Integer and float code have a CPI each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.devices.results import Measurement
from benchmark.prediction.published import (
    BUILD_ERROR,
    PUBLIC_COUNTS,
    PUBLISHED,
    Kind,
    Phone,
    Published,
    PublishedFile,
)
from benchmark.runner.output import OperatorShare
from model.foundation.errors import InputError
from model.foundation.records import read_record

_PUBLISHED = read_record(PUBLISHED, PublishedFile)
LATENCIES, PHONES = _PUBLISHED.latencies, _PUBLISHED.phones
_INTEGER = re.compile(r"\b(Q[CSU]8W?|[SUX]8|INT8)\b")


COUNTED_KINDS = ("emulated-arm64", "emulated-arm64-app")
"""Machines whose counts stand for 64-bit phones: the kernels are XNNPACK's in both runtimes."""

Counts = Mapping[tuple[str, str, str], int]
"""(network, kind, emulated core) -> instructions of one inference."""


@dataclass(frozen=True)
class NetworkCount:
    """Instructions of one inference of a public network on an emulated core; `spread`: see `Instructions`."""

    network: str
    kind: Kind
    core: str
    count: int
    spread: float


@dataclass(frozen=True)
class CountFile:
    """What `fit-cycles` writes: with which runtime and when (ISO 8601, UTC) the networks were counted."""

    runtime: str
    counted_at: str
    instructions: tuple[NetworkCount, ...]


@dataclass(frozen=True)
class Fit:
    """A board's CPI for one kind of arithmetic.

    Attributes:
        threads: Of the published latencies.
        cpi: Geometric mean over the networks.
        error: Largest error when each network is predicted from the others (0.1 is 10 %), times BUILD_ERROR's
            factor where the published build was a 32-bit one.
    """

    threads: int
    cpi: float
    error: float


@dataclass(frozen=True)
class Prediction:
    """A predicted latency with its interval.

    Attributes:
        model: The file's name.
        phone: For which class of phones.
        milliseconds: One inference.
        error: Relative error that the fit shows on what it was not fitted to; the interval is a factor of
            1 + error.
        integer_share: Part of the instructions that is integer arithmetic.
        runtime: Which executes them, with its version.
    """

    model: str
    phone: str
    milliseconds: float
    error: float
    integer_share: float
    runtime: str = ""

    @property
    def fps(self) -> float:
        """Inferences a second."""
        return 1000 / self.milliseconds

    @property
    def fps_interval(self) -> tuple[float, float]:
        """Lowest and highest inferences a second within the error."""
        return self.fps / (1 + self.error), self.fps * (1 + self.error)


@dataclass(frozen=True)
class PredictionFile:
    """What `predict` writes; `made_at` is ISO 8601 in UTC."""

    predictions: tuple[Prediction, ...]
    made_at: str


def read_counts(path: Path = PUBLIC_COUNTS) -> Counts:
    """Instructions of the public networks.

    Raises:
        InputError: the file is absent or broken; `fit-cycles` makes it.
    """
    rows = read_record(path, CountFile).instructions
    return {(row.network, row.kind, row.core): row.count for row in rows}


def cpi_of(latency: Published, counts: Counts) -> float:
    """Cycles per instruction that a published latency implies."""
    count = counts[latency.network, latency.kind, latency.emulated]
    return latency.milliseconds * 1e6 * latency.clock_ghz * latency.threads / count


def fit(board: str, kind: Kind, counts: Counts) -> Fit | None:
    """Fit a board's CPI; None without at least two published latencies: one alone has no error to report."""
    points = [one for one in LATENCIES if (one.board, one.kind) == (board, kind)]
    if len(points) < 2:
        return None
    logs = [math.log(cpi_of(one, counts)) for one in points]
    left_out = [abs(log - (sum(logs) - log) / (len(logs) - 1)) for log in logs]
    cpi = math.exp(sum(logs) / len(logs))
    other_build = 1 + BUILD_ERROR if points[0].is_32_bit else 1.0
    error = math.exp(max(left_out)) * other_build - 1
    return Fit(points[0].threads, cpi, error)


def transfer_error(kind: Kind, threads: int, counts: Counts) -> float:
    """Largest error when one board's CPI predicts another's: the price of a borrowed CPI."""
    boards = dict.fromkeys(one.board for one in LATENCIES if one.kind == kind and one.threads == threads)
    fits = [found for board in boards if (found := fit(board, kind, counts))]
    if len(fits) < 2:
        return math.inf
    return max(math.expm1(abs(math.log(one.cpi / other.cpi))) for one in fits for other in fits)


def integer_share(operators: Sequence[OperatorShare]) -> float:
    """Part of an inference's instructions that integer operators execute, 0 to 1.

    Operators that do not say (LiteRT's own kernels) count as the majority does.
    """
    integer = sum(one.share for one in operators if _INTEGER.search(one.kind))
    plain = sum(one.share for one in operators if re.search(r"F(32|16)", one.kind))
    told = integer + plain
    return integer / told if told else 0.0


def predict(measurement: Measurement, phone: Phone, counts: Counts) -> Prediction | None:
    """Predict one model's latency on one class of phones.

    Returns:
        None where no published latency calibrates the arithmetic that the model uses.

    Raises:
        InputError: the measurement has no instructions or no operator shares.
    """
    if measurement.instructions is None or not measurement.operators:
        raise InputError(f"{measurement.model.file}: count its instructions with --profile first")
    share = integer_share(measurement.operators)
    parts: list[tuple[float, Kind]] = [(share, "int8"), (1 - share, "float")]
    cycles, error = 0.0, 0.0
    threads = 1
    for part, kind in parts:
        if part < 0.01:
            continue
        found = fit(phone.board, kind, counts)
        if found is None:
            return None
        threads = found.threads
        cycles += part * measurement.instructions.count * found.cpi
        transferred = transfer_error(kind, found.threads, counts) if phone.transferred else 0.0
        error = max(error, found.error, transferred)
    if math.isinf(error):
        return None
    milliseconds = cycles / (phone.clock_ghz * threads * 1e6)
    runtime = measurement.runner.runtime
    return Prediction(measurement.model.file, phone.name, milliseconds, error, share, runtime)


def predictions_of(measurements: Sequence[Measurement]) -> list[Prediction]:
    """Predictions of every model on every class of phones that the counted cores and published figures allow.

    A result file that was resumed after a model was made again holds counts of both: the newest stands.

    Raises:
        InputError: nothing was counted.
    """
    counts = read_counts()
    counted = [one for one in measurements if one.instructions and one.machine.kind in COUNTED_KINDS]
    if not counted:
        raise InputError(
            "no instructions in these results: run `python -m benchmark latency --device arm64 --profile`"
        )
    newest = {
        (one.machine.name, one.model.file): one for one in sorted(counted, key=lambda one: one.measured_at)
    }
    found = []
    for one in (one for one in counted if one in newest.values()):
        for phone in PHONES:
            if phone.counted == one.machine.details["core"] and (made := predict(one, phone, counts)):
                found.append(made)
    return found

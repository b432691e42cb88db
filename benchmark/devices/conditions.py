"""Heat and clocks around a measurement: wait until the machine is cool, then log while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from benchmark.adb.heat import Sample
from benchmark.devices.machine import Runner
from benchmark.errors import DeviceError

Look = Callable[[float], Sample | None]
"""`Machine.sample`: the moment that counts as 0 (`time.monotonic()`) -> the machine's heat and clocks now."""


@dataclass(frozen=True)
class HeatLog:
    """What was seen while a block ran; empty where the machine tells nothing.

    Attributes:
        highest_thermal_status: 0 (none) to 6 (shutdown), or None.
        highest_celsius: Of all sensors, or None.
        samples: In order of time.
    """

    highest_thermal_status: int | None = None
    highest_celsius: float | None = None
    samples: tuple[Sample, ...] = ()

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> HeatLog:
        """The samples and their extremes."""
        statuses = [sample.thermal_status for sample in samples if sample.thermal_status is not None]
        warmest = [max(sample.celsius.values()) for sample in samples if sample.celsius]
        return cls(max(statuses, default=None), max(warmest, default=None), tuple(samples))


@dataclass(frozen=True)
class Conditions:
    """What a measurement was made under.

    Attributes:
        cooled_down_for_s: Seconds waited before it; None on a machine that tells no heat.
        heat: While it ran.
        sustained: While the sustained run ran, if there was one.
        throttle_ratio: Latency of its last minute over its first's; None below two minutes.
        runtime: The runner with all that is known about it only after it ran.
    """

    cooled_down_for_s: float | None = None
    heat: HeatLog = HeatLog()
    sustained: HeatLog | None = None
    throttle_ratio: float | None = None
    runtime: Runner | None = None


def cool_down(look: Look, limit_s: float, every_s: float = 10.0) -> tuple[Sample | None, float]:
    """Wait until a machine reports no throttling. Nothing is done about its heat: it cools by itself.

    Args:
        look: See `Look`.
        limit_s: Longest wait.
        every_s: Time between two looks.

    Returns:
        The last look and the seconds waited; the look is not cool if the limit was reached.
    """
    start = time.monotonic()
    while True:
        sample = look(start)
        waited = time.monotonic() - start
        if sample is None or sample.is_cool or waited + every_s > limit_s:
            return sample, waited
        time.sleep(every_s)


@contextmanager
def logged(look: Look, every_s: float) -> Iterator[list[Sample]]:
    """Look in the background while the block runs, once at its start and once at its end.

    Yields:
        The samples, a list that grows; it stays empty on a machine that tells nothing.
    """
    samples: list[Sample] = []
    stop, since = threading.Event(), time.monotonic()

    def add() -> bool:
        sample = look(since)
        samples.extend(() if sample is None else (sample,))
        return sample is not None

    if not add():
        yield samples
        return

    def add_until_stopped() -> None:
        # The measurement itself reports a lost device; a lost sample is only a gap.
        while not stop.wait(every_s):
            with suppress(DeviceError):
                add()

    thread = threading.Thread(target=add_until_stopped, daemon=True)
    thread.start()
    try:
        yield samples
        add()
    finally:
        stop.set()
        thread.join(timeout=35)

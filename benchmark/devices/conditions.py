"""Heat and clocks around a measurement: wait until the device is cool, and log what happens while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmark.devices.adb import AdbDevice
from benchmark.devices.errors import DeviceError
from benchmark.devices.facts import parse_battery, parse_thermal, sections

SAMPLE = """
echo "@@clocks"
for c in /sys/devices/system/cpu/cpu[0-9]*; do
  echo "${c##*/cpu}|$(cat $c/cpufreq/scaling_cur_freq 2>/dev/null)"
done
echo "@@thermalservice"; dumpsys thermalservice 2>/dev/null
echo "@@battery"; dumpsys battery 2>/dev/null
echo "@@zones"
for z in /sys/class/thermal/thermal_zone*; do
  echo "$(cat $z/type 2>/dev/null)|$(cat $z/temp 2>/dev/null)"
done
echo "@@end"
"""
COOL_STATUS = 0
"""Android's "none": no throttling. Source: android.os.PowerManager.THERMAL_STATUS_NONE."""


@dataclass(frozen=True)
class Sample:
    """A device at one moment.

    Attributes:
        seconds: Since the measurement began.
        thermal_status: 0 (none) to 6 (shutdown), or None.
        celsius: Sensor -> temperature.
        battery_celsius: Of the battery, or None.
        clocks_khz: Processor -> its present clock.
    """

    seconds: float
    thermal_status: int | None
    celsius: dict[str, float] = field(default_factory=dict)
    battery_celsius: float | None = None
    clocks_khz: dict[int, int] = field(default_factory=dict)

    @property
    def is_cool(self) -> bool:
        """No throttling, as far as the device tells."""
        return self.thermal_status in (None, COOL_STATUS)


def take_sample(device: AdbDevice, since: float) -> Sample:
    """Ask a device for its temperatures and clocks.

    Args:
        device: The device.
        since: `time.monotonic()` of the moment that counts as 0.

    Raises:
        DeviceError: it does not answer.
    """
    parts = sections(device.shell(SAMPLE, timeout_s=30).stdout)
    thermal = parse_thermal(parts.get("thermalservice", ""), parts.get("zones", ""))
    clocks = [line.split("|") for line in parts.get("clocks", "").splitlines() if line.count("|") == 1]
    return Sample(
        round(time.monotonic() - since, 1),
        thermal.status,
        dict(thermal.celsius),
        parse_battery(parts.get("battery", "")).celsius,
        {int(number): int(value) for number, value in clocks if number.isdigit() and value.strip().isdigit()},
    )


def cool_down(device: AdbDevice, limit_s: float, every_s: float = 10.0) -> tuple[Sample, float]:
    """Wait until the device reports no throttling. Nothing is done about its heat: it cools by itself.

    Args:
        device: The device.
        limit_s: Longest wait.
        every_s: Time between two looks.

    Returns:
        The last look and the seconds waited; the look is not cool if the limit was reached.
    """
    start = time.monotonic()
    while True:
        sample = take_sample(device, start)
        waited = time.monotonic() - start
        if sample.is_cool or waited + every_s > limit_s:
            return sample, waited
        time.sleep(every_s)


class ConditionLog:
    """Samples of one measurement.

    Attributes:
        samples: In order of time.
    """

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def to_json(self) -> dict[str, Any]:
        """The samples and their extremes as JSON values."""
        statuses = [sample.thermal_status for sample in self.samples if sample.thermal_status is not None]
        warmest = [max(sample.celsius.values()) for sample in self.samples if sample.celsius]
        return {
            "highest_thermal_status": max(statuses, default=None),
            "highest_celsius": max(warmest, default=None),
            "samples": [asdict(sample) for sample in self.samples],
        }


@contextmanager
def logged(device: AdbDevice, every_s: float) -> Iterator[ConditionLog]:
    """Sample a device in the background while the block runs, once at its start and once at its end."""
    log, stop, since = ConditionLog(), threading.Event(), time.monotonic()
    log.samples.append(take_sample(device, since))

    def sample_until_stopped() -> None:
        # The measurement itself reports a lost device; a lost sample is only a gap.
        while not stop.wait(every_s):
            with suppress(DeviceError):
                log.samples.append(take_sample(device, since))

    thread = threading.Thread(target=sample_until_stopped, daemon=True)
    thread.start()
    try:
        yield log
        log.samples.append(take_sample(device, since))
    finally:
        stop.set()
        thread.join(timeout=35)


def throttle_ratio(per_minute: Sequence[dict[str, Any]]) -> float | None:
    """Latency of the last minute over the first's; above 1 it became slower. None below two minutes."""
    if len(per_minute) < 2:
        return None
    return float(per_minute[-1]["ms"]) / float(per_minute[0]["ms"])

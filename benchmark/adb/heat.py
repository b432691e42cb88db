"""Heat, clocks and battery of a device at one moment: asked in one go, parsed by pure functions."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmark.adb.client import AdbDevice

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

NOT_TEMPERATURES = (-1, 6, 7, 8)
"""Kinds of "Temperature" that are none: unknown, and the battery's voltage, current and percentage.

Source: android.os.Temperature, TYPE_UNKNOWN and TYPE_BCL_*.
"""


@dataclass(frozen=True)
class Thermal:
    """Heat at one moment.

    Attributes:
        status: Android's thermal status, 0 (none) to 6 (shutdown); None where there is no thermal service.
        celsius: Sensor -> temperature.
    """

    status: int | None
    celsius: Mapping[str, float]


@dataclass(frozen=True)
class Battery:
    """The battery at one moment: level, temperature, whether a charger is connected."""

    percent: int | None
    celsius: float | None
    charging: bool | None


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


def sections(text: str) -> dict[str, str]:
    """Split a probe's output at its "@@name" lines."""
    # Shells before Android 7 end lines with CR LF.
    parts = re.split(r"^@@(\w+)\n", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parse_thermal(thermalservice: str, zones: str = "") -> Thermal:
    """Read `dumpsys thermalservice`, or the kernel's thermal zones where that is silent."""
    status = re.search(r"Thermal Status:\s*(\d+)", thermalservice)
    current = thermalservice.split("Current temperatures from HAL", 1)[-1].split("Current cooling", 1)[0]
    readings = re.findall(r"Temperature\{mValue=([-\d.]+), mType=(-?\d+), mName=([^,]+),", current)
    celsius = {name: float(value) for value, kind, name in readings if int(kind) not in NOT_TEMPERATURES}
    if not celsius:
        for line in zones.splitlines():
            name, _, value = line.partition("|")
            if name and re.fullmatch(r"-?\d+", value.strip()):
                celsius[name] = int(value) / 1000
    return Thermal(int(status.group(1)) if status else None, celsius)


def parse_battery(text: str) -> Battery:
    """Read `dumpsys battery`."""
    fields = dict(re.findall(r"^\s*([\w ]+): (.*?)\s*$", text, re.MULTILINE))
    level, tenths = number_in(fields.get("level", "")), number_in(fields.get("temperature", ""))
    powered = [value == "true" for name, value in fields.items() if name.endswith("powered")]
    return Battery(level, None if tenths is None else tenths / 10, any(powered) if powered else None)


def number_in(text: str) -> int | None:
    """The whole number that a text is, or None."""
    return int(text) if re.fullmatch(r"-?\d+", text.strip()) else None

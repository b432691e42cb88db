"""What a device says about itself: read in one go, parsed by pure functions, absent where it is silent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmark.adb.client import AdbDevice
from benchmark.adb.heat import Battery, Thermal, number_in, parse_battery, parse_thermal, sections

PROBE = """
echo "@@getprop"; getprop 2>/dev/null
echo "@@processors"
for c in /sys/devices/system/cpu/cpu[0-9]*; do
  f=$c/cpufreq
  echo "${c##*/cpu}|$(cat $f/cpuinfo_min_freq 2>/dev/null)|$(cat $f/cpuinfo_max_freq 2>/dev/null)|\
$(cat $f/related_cpus 2>/dev/null)|$(cat $c/cpu_capacity 2>/dev/null)|$(cat $f/scaling_governor 2>/dev/null)"
done
echo "@@cpuinfo"; cat /proc/cpuinfo 2>/dev/null
echo "@@thermalservice"; dumpsys thermalservice 2>/dev/null
echo "@@battery"; dumpsys battery 2>/dev/null
echo "@@meminfo"; cat /proc/meminfo 2>/dev/null
echo "@@uname"; uname -srm 2>/dev/null
echo "@@board"; cat /proc/device-tree/model 2>/dev/null; echo
echo "@@boot"; cat /proc/sys/kernel/random/boot_id 2>/dev/null
echo "@@machine"; cat /etc/machine-id 2>/dev/null
echo "@@window"
dumpsys window 2>/dev/null | grep -E "mDreamingLockscreen|isKeyguardShowing|mShowingLockscreen"
echo "@@power"; dumpsys power 2>/dev/null | grep mWakefulness=
echo "@@zones"
for z in /sys/class/thermal/thermal_zone*; do
  echo "$(cat $z/type 2>/dev/null)|$(cat $z/temp 2>/dev/null)"
done
echo "@@end"
"""

CORE_NAMES = {
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd4d"): "Cortex-A715",
    ("0x41", "0xd4e"): "Cortex-X3",
    ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720",
    ("0x51", "0x205"): "Kryo",
    ("0x51", "0x800"): "Kryo 2xx Gold (Cortex-A73)",
    ("0x51", "0x801"): "Kryo 2xx Silver (Cortex-A53)",
    ("0x51", "0x802"): "Kryo 3xx Gold (Cortex-A75)",
    ("0x51", "0x803"): "Kryo 3xx Silver (Cortex-A55)",
    ("0x51", "0x804"): "Kryo 4xx Gold (Cortex-A76)",
    ("0x51", "0x805"): "Kryo 4xx Silver (Cortex-A55)",
}
"""(implementer, part) -> core. Source: Linux, arch/arm64/include/asm/cputype.h; Arm's technical manuals."""

CLUSTER_NAMES = {1: ("all",), 2: ("little", "big"), 3: ("little", "big", "prime")}
"""Names by number of clusters, slowest first; clusters of equal speed are numbered."""


@dataclass(frozen=True)
class MachineFacts:
    """What is known about a machine.

    Attributes:
        kind: "host", "emulated-arm64", "emulated-arm64-app", "emulated-armhf", "adb" ...
        name: How the user addressed it, e.g. "arm64:cortex-a53" or "adb:SERIAL".
        identity: What stays the same however it is connected (the phone's serial number).
        details: Everything else, as JSON values; what it does not say is None or absent.
    """

    kind: str
    name: str
    identity: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """Processors that share a clock.

    Attributes:
        name: "little", "big", "prime", or "all" where there is one.
        processors: Their numbers.
        core: What they are, or None.
        min_khz, max_khz: Limits of their clock, or None.
    """

    name: str
    processors: tuple[int, ...]
    core: str | None
    min_khz: int | None
    max_khz: int | None

    @property
    def mask(self) -> str:
        """The processors as a hexadecimal mask for `taskset`."""
        return processor_mask(self.processors)


def processor_mask(processors: Sequence[int]) -> str:
    """Numbers of processors as the hexadecimal mask that `taskset` takes."""
    return f"{sum(1 << number for number in processors):x}"


@dataclass(frozen=True)
class DeviceFacts:
    """Everything that a device tells; None where it is silent."""

    manufacturer: str | None
    model: str | None
    soc: str | None
    abis: tuple[str, ...]
    android: str | None
    sdk: int | None
    build: str | None
    kernel: str | None
    memory_mb: int | None
    clusters: tuple[Cluster, ...]
    thermal: Thermal
    battery: Battery
    locked: bool | None
    awake: bool | None
    serial_number: str | None
    boot_id: str | None

    @property
    def cores(self) -> int:
        """Number of processors."""
        return sum(len(cluster.processors) for cluster in self.clusters)

    @property
    def is_android(self) -> bool:
        """Whether it runs Android rather than plain Linux."""
        return self.android is not None

    @property
    def absent(self) -> list[str]:
        """Names of what could not be read."""
        found = {name: value for name, value in asdict(self).items() if name not in ("thermal", "battery")}
        found["thermal status"] = self.thermal.status
        found["temperatures"] = dict(self.thermal.celsius) or None
        found["battery level"], found["battery temperature"] = self.battery.percent, self.battery.celsius
        found["clock frequencies"] = next((cluster.max_khz for cluster in self.clusters), None)
        return [name.replace("_", " ") for name, value in found.items() if value is None or value == ()]

    def as_machine(self, serial: str) -> MachineFacts:
        """The facts in the result format."""
        details = {**asdict(self), "cores": self.cores, "absent": self.absent}
        return MachineFacts("adb", f"adb:{serial}", self.serial_number or serial, details)


def read_facts(device: AdbDevice) -> DeviceFacts:
    """Ask a device everything.

    Raises:
        DeviceError: it does not answer.
    """
    return parse_facts(device.shell(PROBE, timeout_s=60).stdout)


def parse_facts(text: str) -> DeviceFacts:
    """Read what PROBE printed."""
    parts = sections(text)
    properties = dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]\r?$", parts.get("getprop", ""), re.MULTILINE))
    soc = " ".join(filter(None, (properties.get("ro.soc.manufacturer"), properties.get("ro.soc.model"))))
    sdk = properties.get("ro.build.version.sdk", "")
    memory = re.search(r"MemTotal:\s+(\d+) kB", parts.get("meminfo", ""))
    abis = properties.get("ro.product.cpu.abilist") or properties.get("ro.product.cpu.abi", "")
    machine = parts.get("uname", "").split()
    return DeviceFacts(
        manufacturer=properties.get("ro.product.manufacturer") or None,
        model=properties.get("ro.product.model") or parts.get("board", "").strip("\0 \r\n") or None,
        soc=soc or properties.get("ro.board.platform") or properties.get("ro.hardware") or None,
        abis=tuple(filter(None, abis.split(","))) or tuple(machine[-1:]),
        android=properties.get("ro.build.version.release") or None,
        sdk=int(sdk) if sdk.isdigit() else None,
        build=properties.get("ro.build.fingerprint") or None,
        kernel=" ".join(machine[:2]) or None,
        memory_mb=int(memory.group(1)) // 1024 if memory else None,
        clusters=parse_clusters(parts.get("processors", ""), parts.get("cpuinfo", "")),
        thermal=parse_thermal(parts.get("thermalservice", ""), parts.get("zones", "")),
        battery=parse_battery(parts.get("battery", "")),
        locked=_locked(parts.get("window", "")),
        awake=_awake(parts.get("power", "")),
        serial_number=properties.get("ro.serialno") or parts.get("machine", "").strip() or None,
        boot_id=parts.get("boot", "").strip() or None,
    )


def parse_clusters(processors: str, cpuinfo: str) -> tuple[Cluster, ...]:
    """Group processors by the clock they share, slowest group first; by their kind where no clock is told."""
    cores = _core_names(cpuinfo)
    groups: dict[tuple[str, ...], list[int]] = {}
    limits: dict[tuple[str, ...], tuple[int | None, int | None, int]] = {}
    for line in processors.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 6 or not fields[0].isdigit():
            continue
        number, low, high, related, capacity = int(fields[0]), *fields[1:5]
        group = (related,) if related else ("", high, capacity, cores.get(number) or "")
        groups.setdefault(group, []).append(number)
        speed = int(capacity) if capacity.isdigit() else int(high) if high.isdigit() else 0
        limits[group] = (number_in(low), number_in(high), speed)
    ordered = sorted(groups, key=lambda group: (limits[group][2], limits[group][1] or 0, groups[group][0]))
    speeds = {limits[group][2] for group in ordered}
    named = CLUSTER_NAMES.get(len(ordered)) if len(speeds) == len(ordered) else None
    names = named or tuple(f"cluster{index}" for index in range(len(ordered)))
    return tuple(
        Cluster(name, tuple(sorted(groups[group])), cores.get(groups[group][0]), *limits[group][:2])
        for name, group in zip(names, ordered, strict=True)
    )


def _core_names(cpuinfo: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for block in re.split(r"\n\s*\n", cpuinfo):
        fields = dict(re.findall(r"^([\w ]+?)\s*:\s*(.*)$", block, re.MULTILINE))
        if "processor" in fields and "CPU part" in fields:
            kind = (fields.get("CPU implementer", ""), fields["CPU part"])
            found[int(fields["processor"])] = CORE_NAMES.get(kind, f"implementer {kind[0]} part {kind[1]}")
    return found


def _locked(window: str) -> bool | None:
    states = re.findall(r"(?:mDreamingLockscreen|isKeyguardShowing|mShowingLockscreen)=(true|false)", window)
    return None if not states else "true" in states


def _awake(power: str) -> bool | None:
    state = re.search(r"mWakefulness=(\w+)", power)
    return None if state is None else state.group(1) == "Awake"

"""`devices`: every device over adb and what it says about itself, and the machines that need no device."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.table import Table

from benchmark.devices import adb
from benchmark.devices.errors import DeviceError
from benchmark.devices.facts import Cluster, DeviceFacts, read_facts
from benchmark.emulation.guest import CORES


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "devices", help="list devices and what they say about themselves", description=__doc__
    )
    parser.add_argument("--json", action="store_true", help="print everything that could be read, as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the devices.

    Raises:
        DeviceError: the adb server neither runs nor starts.
    """
    listed = adb.listed_devices()
    known: list[tuple[adb.Listed, DeviceFacts | str]] = []
    for found in listed:
        known.append((found, _facts_or_reason(found)))
    if options.json:
        print(json.dumps([_as_json(found, facts) for found, facts in known], indent=2))
        return 0
    console = Console()
    if not listed:
        console.print("no device over adb (enable USB debugging and plug one in, or `adb connect HOST:PORT`)")
    for found, facts in known:
        console.print(_table(found, facts))
    console.print(
        f"always there: host, {', '.join(f'arm64:{core}' for core in CORES)}, armhf (after `make arm`)"
    )
    return 0


def _facts_or_reason(found: adb.Listed) -> DeviceFacts | str:
    """What a device tells, or why it does not."""
    try:
        return read_facts(adb.choose(found.serial))
    except DeviceError as error:
        return str(error)


def _as_json(found: adb.Listed, facts: DeviceFacts | str) -> dict[str, object]:
    if isinstance(facts, str):
        return {"serial": found.serial, "state": found.state, "problem": facts}
    return {"serial": found.serial, "state": found.state, **facts.as_machine(found.serial).details}


def _table(found: adb.Listed, facts: DeviceFacts | str) -> Table:
    table = Table("", "", title=f"adb:{found.serial} ({found.state})", show_header=False)
    if isinstance(facts, str):
        table.add_row("problem", facts)
        return table
    heat = facts.thermal
    warmest = max(heat.celsius.items(), key=lambda item: item[1], default=None)
    rows = {
        "model": " ".join(filter(None, (facts.manufacturer, facts.model))) or None,
        "SoC": facts.soc,
        "ABI": ", ".join(facts.abis) or None,
        "Android": f"{facts.android} (SDK {facts.sdk})" if facts.android else None,
        "kernel": facts.kernel,
        "memory": f"{facts.memory_mb} MB" if facts.memory_mb else None,
        "thermal status": None if heat.status is None else str(heat.status),
        "warmest sensor": f"{warmest[1]:.1f} °C ({warmest[0]})" if warmest else None,
        "battery": _battery(facts),
        "screen": _screen(facts),
    }
    for name, value in rows.items():
        table.add_row(name, value or "absent")
    for cluster in facts.clusters:
        table.add_row(f"cluster {cluster.name}", _cluster(cluster))
    table.add_row("absent", ", ".join(facts.absent) or "nothing")
    return table


def _cluster(cluster: Cluster) -> str:
    clock = (
        "clock absent"
        if cluster.max_khz is None
        else f"{(cluster.min_khz or 0) / 1e6:.2f}-{cluster.max_khz / 1e6:.2f} GHz"
    )
    return f"{len(cluster.processors)}x {cluster.core or 'unknown core'}, {clock}, mask {cluster.mask}"


def _battery(facts: DeviceFacts) -> str | None:
    battery = facts.battery
    if battery.percent is None:
        return None
    heat = "" if battery.celsius is None else f", {battery.celsius:.1f} °C"
    return f"{battery.percent} %{heat}{', charging' if battery.charging else ''}"


def _screen(facts: DeviceFacts) -> str | None:
    if facts.locked is None and facts.awake is None:
        return None
    awake = {True: "on", False: "off", None: "unknown"}[facts.awake]
    return f"{awake}{', locked' if facts.locked else ''}"

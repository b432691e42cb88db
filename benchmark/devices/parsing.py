"""Texts of the command line -> models, thread counts, delegates, clusters, seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.adb.facts import Cluster
from benchmark.devices.machine import DELEGATES, Delegate
from model.foundation.errors import InputError
from model.runtime.flatbuffer import read_content

UNITS = {"s": 1, "m": 60, "h": 3600}


def whole_models(paths: Sequence[Path]) -> list[Path]:
    """The model files, all of them present, TFLite and whole.

    Raises:
        InputError: one is absent, no TFLite file, or damaged.
    """
    for path in paths:
        read_content(path)
    return list(paths)


def duration_s(text: str) -> float:
    """Read "90", "90s", "10m" or "1h" into seconds.

    Raises:
        InputError: the text is no duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None:
        raise InputError(f"a duration is a number with s, m or h (e.g. 10m), found {text!r}")
    return float(match.group(1)) * UNITS.get(match.group(2), 1)


def thread_counts(text: str) -> list[int]:
    """Read "1,2,4" or "1-4" into thread counts, ascending.

    Raises:
        InputError: the text is no list of positive numbers.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or int(match.group(1)) < 1:
            raise InputError(f"--threads takes numbers like 1,2,4 or 1-4, found {text!r}")
        found.update(range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1))
    return sorted(found)


def delegates(text: str) -> list[Delegate]:
    """Read "xnnpack,gpu" into delegates.

    Raises:
        InputError: one is unknown.
    """
    wanted = [part.strip() for part in text.split(",")]
    known: dict[str, Delegate] = {name: name for name in DELEGATES}
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(f"--delegate takes {', '.join(DELEGATES)}, found {unknown[0]!r}")
    return [known[name] for name in wanted]


def refuse_in_counting(device: str, asked: Mapping[str, bool]) -> None:
    """Refuse what has no meaning where instructions are counted: one thread, XNNPACK, a few inferences.

    Args:
        device: As written after --device.
        asked: Flag of the command line -> whether it was set.

    Raises:
        InputError: one was.
    """
    if found := [flag for flag, is_set in asked.items() if is_set]:
        raise InputError(
            f"--device {device} counts the instructions of inferences on one thread with XNNPACK; leave out "
            f"{', '.join(found)}, or give a device whose time means something (host, adb)"
        )


def clusters(text: str, there: Sequence[Cluster]) -> list[Cluster | None]:
    """Read "none", "each" or names like "little,big" into clusters of a machine; None is no pinning.

    Raises:
        InputError: the machine has no such cluster.
    """
    if text == "none":
        return [None]
    present = {cluster.name: cluster for cluster in there}
    if text == "each":
        return list(present.values()) or [None]
    wanted = [part.strip() for part in text.split(",")]
    if missing := [name for name in wanted if name not in present]:
        raise InputError(f"no cluster {missing[0]!r} here; there is {', '.join(present) or 'none to pin to'}")
    return [present[name] for name in wanted]

"""Detections in WIDER FACE's official text format, one file an image, in a folder an event."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.evaluation.loop import ImageDetections
from model.foundation.artifact import replacing
from model.foundation.errors import InputError
from model.geometry.boxes import Detections

Rows = NDArray[np.float64]
Key = tuple[str, str]
"""(event, name without suffix)"""


@dataclass(frozen=True)
class Predictions:
    """Detections of a set of images and what was odd about them.

    Attributes:
        rows: (event, name) -> float64 [D, 5], each (x_min, y_min, width, height, score), best score first.
        missing_events: Events without a folder; their images count as images without detections.
        missing_files: Images "event/name" without a file, in events that are there.
        notes: Other oddities, one line each.
    """

    rows: Mapping[Key, Rows]
    missing_events: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self, shown: int = 5) -> list[str]:
        """What is missing or odd, one line each; empty when all is as it should be."""
        lines = []
        if self.missing_events:
            lines.append(f"{len(self.missing_events)} event(s) absent: {_some(self.missing_events, shown)}")
        if self.missing_files:
            lines.append(
                f"{len(self.missing_files)} image(s) without a file: {_some(self.missing_files, shown)}"
            )
        if lines:
            lines.append("what is missing was scored as an image without detections")
        return lines + list(self.notes)


EMPTY = "empty file(s), scored as no detection"
UNSORTED = "file(s) not in order of falling score, sorted"
RENAMED = "file(s) whose first line names another image; the file's name was believed"
EXTRA = "file(s) of images that the ground truth does not know, left out"


def _some(names: Sequence[str], shown: int) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def read_wider_predictions(folder: Path, wanted: Iterable[Key]) -> Predictions:
    """Read `folder/event/name.txt` for every wanted image.

    A file holds the image's name, the number of detections, and a row `x y width height score` each.
    What is missing, empty or out of order is noted, not refused.

    Raises:
        InputError: no such folder, none of the wanted events in it, or a malformed line (with its
            number; NaN and infinite values are malformed).
    """
    if not folder.is_dir():
        raise InputError(f"no such folder of predictions: {folder}")
    wanted = list(wanted)
    events = list(dict.fromkeys(event for event, _ in wanted))
    files = {event: _files_of(folder / event) for event in events}
    present = {event for event in events if files[event] is not None}
    if wanted and not present:
        raise InputError(_no_events_message(folder, events))
    odd: defaultdict[str, list[str]] = defaultdict(list)
    rows: dict[Key, Rows] = {}
    missing = []
    for event, name in wanted:
        path = (files[event] or {}).pop(_normal(name), None)
        if path is not None:
            rows[event, name] = _read_file(path, f"{event}/{name}", odd)
        elif event in present:
            missing.append(f"{event}/{name}")
    odd[EXTRA] += [f"{event}/{path.name}" for event in events for path in (files[event] or {}).values()]
    absent = tuple(event for event in events if event not in present)
    notes = tuple(f"{len(names)} {what}: {_some(names, 5)}" for what, names in odd.items() if names)
    return Predictions(rows, absent, tuple(missing), notes)


def _files_of(folder: Path) -> dict[str, Path] | None:
    if not folder.is_dir():
        return None
    return {_normal(path.stem): path for path in sorted(folder.iterdir()) if path.suffix == ".txt"}


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)  # file systems differ in how they spell an umlaut


def _no_events_message(folder: Path, events: list[str]) -> str:
    below = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
    nested = [name for name in below if any((folder / name / event).is_dir() for event in events)]
    hint = f"did you mean {folder / nested[0]}?" if nested else f"it holds {_some(below, 3) or 'no folder'}"
    return f"{folder}: expected folders such as {events[0]}, found none of the {len(events)} events; {hint}"


def _read_file(path: Path, name: str, odd: Mapping[str, list[str]]) -> Rows:
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        odd[EMPTY].append(name)
        return np.empty((0, 5))
    header = lines[0].strip().replace("\\", "/").rsplit("/", 1)[-1]
    if _normal(header) != _normal(path.stem) and _normal(Path(header).stem) != _normal(path.stem):
        odd[RENAMED].append(name)
    if len(lines) < 2 or not lines[1].strip().isdigit():
        raise InputError(f"{path}:2: expected the number of detections, found {' '.join(lines[1:2])[:60]!r}")
    if int(lines[1]) != len(lines) - 2:
        raise InputError(f"{path}: expected {int(lines[1])} detections, found {len(lines) - 2}: truncated?")
    rows = np.asarray([_row(line, f"{path}:{number}") for number, line in enumerate(lines[2:], 3)]).reshape(
        -1, 5
    )
    if (np.diff(rows[:, 4]) > 0).any():
        odd[UNSORTED].append(name)
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    return rows


def _row(line: str, where: str) -> list[float]:
    try:
        values = [float(part) for part in line.split()]
    except ValueError:
        raise InputError(f"{where}: expected x y width height score, found {line[:60]!r}") from None
    if len(values) != 5 or not np.isfinite(values).all():
        raise InputError(
            f"{where}: expected five finite numbers (x y width height score), found {line[:60]!r}"
        )
    return values


def write_wider_predictions(folder: Path, event: str, file_name: str, found: Detections) -> Path:
    """Write one image's detections in the official format.

    Returns:
        The file, `folder/event/<file_name without suffix>.txt`.
    """
    path = folder / event / (Path(file_name).stem + ".txt")
    rows = [file_name, str(len(found))]
    for (x0, y0, x1, y1), score in zip(found.boxes_xyxy.tolist(), found.scores.tolist(), strict=True):
        rows.append(f"{x0:.3f} {y0:.3f} {x1 - x0:.3f} {y1 - y0:.3f} {score:.6f}")
    with replacing(path) as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8", errors="surrogateescape")
    return path


def write_set(folder: Path, found: Mapping[str, ImageDetections]) -> None:
    """Write the detections of a set; an image "EVENT/NAME.jpg" goes into its event's folder."""
    for name, one in found.items():
        event, file_name = name.rsplit("/", 1) if "/" in name else ("images", name)
        write_wider_predictions(folder, event, file_name, one.found)

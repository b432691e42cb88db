"""Label files -> faces per image: WIDER FACE, RetinaFace's label.txt, FDDB's ellipse lists."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from calibration_data.images import image_size, list_images
from model.foundation.errors import InputError

__all__ = ["LabelledImage", "list_images", "read_labels"]

_log = logging.getLogger(__name__)

LABEL_TXT_COLUMNS = (4, 19, 20)
"""x y w h | + five landmarks (x y flag) | + blur. RetinaFace's validation list has the boxes only.

One more column, a word, names the class: `x y w h person`.
"""

FDDB_SUFFIXES = (".jpg", ".jpeg", ".png")
"""FDDB's lists name images without a suffix."""


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image and the faces marked in it.

    Attributes:
        path: The image file.
        boxes_xyxy: float32 [K, 4], each row (x_min, y_min, x_max, y_max) in pixels of the upright
            image; may reach over its border, never stands wholly outside.
        landmarks: float32 [K, 5, 2], (x, y) in pixels of left eye, right eye, nose, left and right
            mouth corner as they appear in the image; NaN where not annotated.
        ignore: bool [K]; True for a face that may be found but need not be (WIDER FACE's "invalid").
        name: The image's name in the label file, with forward slashes.
        classes: K names; "" where the label names no class.
    """

    path: Path
    boxes_xyxy: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    ignore: NDArray[np.bool_]
    name: str
    classes: tuple[str, ...] = None  # type: ignore[assignment]  # all "", once it is known how many

    def __post_init__(self) -> None:
        if self.classes is None:
            object.__setattr__(self, "classes", ("",) * len(self.boxes_xyxy))

    def __len__(self) -> int:
        return len(self.boxes_xyxy)


@dataclass
class _Entry:
    """What a label file says about one image, before the image was looked at."""

    name: str
    line: int
    boxes_xywh: list[tuple[float, ...]] = field(default_factory=list)
    points: list[list[float]] = field(default_factory=list)
    ignore: list[bool] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)

    def add(
        self,
        xywh: tuple[float, ...],
        points: list[float] | None = None,
        ignore: bool = False,
        kind: str = "",
    ) -> None:
        self.boxes_xywh.append(xywh)
        self.points.append(points if points is not None else [math.nan] * 10)
        self.ignore.append(ignore)
        self.classes.append(kind)


_Lines = list[tuple[int, str]]


def read_labels(labels: Path, images: Path, *, skip_absent: bool = False) -> list[LabelledImage]:
    """Read a label file of any known format and pair it with the images it names.

    Faces of zero size and faces wholly outside their image are left out; how many is logged as a
    warning.

    Args:
        labels: WIDER FACE's `wider_face_*_bbx_gt.txt`, RetinaFace's `label.txt`, or an FDDB ellipse list.
        images: The folder that the names in the label file are relative to.
        skip_absent: Leave out images that are not there instead of refusing; their number is logged.

    Returns:
        The images in the order of the label file, those without faces too.

    Raises:
        InputError: a file is absent or in no known format, a line is malformed (with its number), an
            image is listed twice, absent or unreadable, or a name points outside `images`.
    """
    entries = _parse(labels)
    if not images.is_dir():
        raise InputError(f"no such folder of images: {images}")
    paths = {entry.name: _find(entry, images, labels) for entry in entries}
    absent = [name for name, path in paths.items() if path is None]
    if absent and (not skip_absent or len(absent) == len(entries)):
        raise InputError(_absent_message(absent, len(entries), labels, images))
    if absent:
        _log.warning(
            "%d of %d images named by %s are not in %s: left out", len(absent), len(entries), labels, images
        )
    dropped: dict[str, list[str]] = {"of zero size": [], "wholly outside the image": []}
    result = [_check(entry, path, dropped) for entry in entries if (path := paths[entry.name]) is not None]
    for kind, names in dropped.items():
        if names:
            _log.warning("%s: %d face(s) %s left out, the first in %s", labels, len(names), kind, names[0])
    return result


def _parse(labels: Path) -> list[_Entry]:
    try:
        text = labels.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"no such label file: {labels}") from None
    except IsADirectoryError:
        raise InputError(f"expected a label file at {labels}, found a folder") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{labels}: not a text file ({error.reason} at byte {error.start})") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"{labels}: the label file is empty")
    entries = list(_format_of(lines, labels)(lines, labels))
    first_line: dict[str, int] = {}
    for entry in entries:
        if entry.name in first_line:
            raise InputError(
                f"{labels}:{entry.line}: {entry.name} is listed twice (line {first_line[entry.name]})"
            )
        first_line[entry.name] = entry.line
    return entries


def _format_of(lines: _Lines, labels: Path) -> Callable[[_Lines, Path], Iterator[_Entry]]:
    if lines[0][1].startswith("#"):
        return _label_txt
    if len(lines) > 1 and _is_count(lines[1][1]):
        for index in range(2, len(lines)):
            if _is_count(lines[index - 1][1]) and int(lines[index - 1][1]) > 0:
                return _fddb if len(lines[index][1].split()) == 6 else _wider
        return _wider if PurePosixPath(lines[0][1]).suffix else _fddb
    raise InputError(
        f"{labels}: expected WIDER FACE's bbx_gt.txt, RetinaFace's label.txt or an FDDB ellipse list, "
        f"found {lines[0][1][:60]!r} on line {lines[0][0]}"
    )


def _is_count(line: str) -> bool:
    return line.isascii() and line.isdigit()


def _numbers(line: str, where: str, columns: Sequence[int]) -> list[float]:
    parts = line.split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise InputError(f"{where}: expected numbers, found {line[:60]!r}") from None
    if len(values) not in columns:
        expected = " or ".join(str(count) for count in columns)
        raise InputError(f"{where}: expected {expected} columns, found {len(values)}")
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"{where}: expected finite numbers, found {line[:60]!r}")
    return values


def _label_txt(lines: _Lines, labels: Path) -> Iterator[_Entry]:
    """A word at the end of a line is the class. Source: RetinaFace's annotations, retinaface_gt."""
    entry: _Entry | None = None
    for number, line in lines:
        if line.startswith("#"):
            if entry is not None:
                yield entry
            entry = _Entry(line[1:].strip(), number)
            continue
        *before, last = line.split()
        kind = last if len(before) in LABEL_TXT_COLUMNS and not _is_number(last) else ""
        values = _numbers(line.removesuffix(kind), f"{labels}:{number}", LABEL_TXT_COLUMNS)
        if entry is None:
            raise InputError(f"{labels}:{number}: a face before the first '# image' line")
        entry.add(tuple(values[:4]), _points(values[4:19]) if len(values) > 4 else None, kind=kind)
    if entry is not None:
        yield entry


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _points(values: list[float]) -> list[float]:
    points: list[float] = []
    for x, y, flag in zip(values[0::3], values[1::3], values[2::3], strict=True):
        points += [math.nan, math.nan] if flag < 0 or (x == -1 and y == -1) else [x, y]
    return points


def _counted(
    lines: _Lines, labels: Path, columns: Sequence[int]
) -> Iterator[tuple[_Entry, list[list[float]]]]:
    """Walk over (name, count, that many faces), the layout that WIDER FACE and FDDB share."""
    position = 0
    while position < len(lines):
        number, name = lines[position]
        if position + 1 >= len(lines) or not _is_count(lines[position + 1][1]):
            raise InputError(f"{labels}:{number + 1}: expected the number of faces in {name}")
        count = int(lines[position + 1][1])
        rows = lines[position + 2 : position + 2 + count]
        if len(rows) < count:
            raise InputError(
                f"{labels}: the file ends after {len(rows)} of {count} faces of {name}: truncated?"
            )
        faces = [_numbers(line, f"{labels}:{row}", columns) for row, line in rows]
        position += 2 + count
        if count == 0 and position < len(lines) and set(lines[position][1].split()) == {"0"}:
            position += 1  # WIDER FACE writes one row of zeros for an image without faces
        yield _Entry(name, number), faces


def _wider(lines: _Lines, labels: Path) -> Iterator[_Entry]:
    """x y w h blur expression illumination invalid occlusion pose. Source: wider_face_split_readme.txt."""
    for entry, faces in _counted(lines, labels, (10, 4)):
        for values in faces:
            entry.add(tuple(values[:4]), ignore=len(values) == 10 and values[7] != 0)
        yield entry


def _fddb(lines: _Lines, labels: Path) -> Iterator[_Entry]:
    """Radii, angle and centre of an ellipse -> the box around it. Source: FDDB's README, section 3."""
    for entry, faces in _counted(lines, labels, (6,)):
        for long_radius, short_radius, angle, x, y, _ in faces:
            half_width = math.hypot(long_radius * math.cos(angle), short_radius * math.sin(angle))
            half_height = math.hypot(long_radius * math.sin(angle), short_radius * math.cos(angle))
            entry.add((x - half_width, y - half_height, 2 * half_width, 2 * half_height))
        yield entry


def _find(entry: _Entry, images: Path, labels: Path) -> Path | None:
    name = PurePosixPath(entry.name.replace("\\", "/"))
    if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise InputError(
            f"{labels}:{entry.line}: expected a name inside the folder of images, found {entry.name!r}"
        )
    path = images / name
    if path.is_file():
        return path
    with_suffix = (path.with_name(path.name + suffix) for suffix in FDDB_SUFFIXES)
    return next((other for other in with_suffix if other.is_file()), None)


def _absent_message(absent: list[str], total: int, labels: Path, images: Path) -> str:
    rest = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
    hint = f"; did you mean {images / 'images'}?" if (images / "images").is_dir() else ""
    named = ", ".join(absent[:3]) + rest
    return f"{len(absent)} of {total} images named by {labels} are not in {images}: {named}{hint}"


def _check(entry: _Entry, path: Path, dropped: dict[str, list[str]]) -> LabelledImage:
    height, width = image_size(path)
    boxes = np.asarray(entry.boxes_xywh, np.float64).reshape(-1, 4)
    boxes_xyxy = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32)
    empty = (boxes[:, 2:] <= 0).any(axis=1)
    outside = (
        (boxes_xyxy[:, 2:] <= 0).any(axis=1) | (boxes_xyxy[:, 0] >= width) | (boxes_xyxy[:, 1] >= height)
    ) & ~empty
    dropped["of zero size"] += [entry.name] * int(empty.sum())
    dropped["wholly outside the image"] += [entry.name] * int(outside.sum())
    keep = ~(empty | outside)
    points = np.asarray(entry.points, np.float32).reshape(-1, 5, 2)
    ignore = np.asarray(entry.ignore, bool)
    classes = tuple(kind for kind, stays in zip(entry.classes, keep, strict=True) if stays)
    return LabelledImage(path, boxes_xyxy[keep], points[keep], ignore[keep], entry.name, classes)

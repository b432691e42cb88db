"""A kind of device: the word after `--device`, how such a machine is opened, how it is listed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.devices.machine import Machine
from model.foundation.errors import InputError
from model.foundation.registry import Registry


@dataclass(frozen=True)
class Wish:
    """What a command wants of the machine that it opens; a kind takes what concerns it.

    Attributes:
        counting: Instructions instead of times, where the kind can count them.
        benchmark_model: The user's binary of TensorFlow Lite's benchmark_model.
        photographs: A folder of photographs, for a runner that goes the whole path of a frame.
        keep_files: Leave the files on the device.
    """

    counting: bool = False
    benchmark_model: Path | None = None
    photographs: Path | None = None
    keep_files: bool = False


@dataclass(frozen=True)
class Listed:
    """A connected device, as `devices` shows it.

    Attributes:
        title: How to address it, and its state.
        rows: What it says, for people; None is shown as "absent".
        record: All that it says, as JSON values.
    """

    title: str
    rows: Mapping[str, str | None]
    record: Mapping[str, Any] = field(default_factory=dict)


class Kind(ABC):
    """A kind of device. Each file in `kinds/` holds one as KIND; the file's name is its word, with _ for -.

    Attributes:
        form: What may stand after `--device`: "arm64[:CORE]".
        always: Its machines that need no connected device, as one writes them.
    """

    form: str
    always: tuple[str, ...] = ()

    def require_name(self, name: str) -> None:
        """Check what stands behind the colon.

        Raises:
            InputError: there is no such machine, or this kind takes no name.
        """
        raise InputError(f"--device takes {self.form}, found a name behind it: {name!r}")

    def names_to_measure(self, name: str | None) -> Sequence[str | None]:
        """The machines that `latency` goes to; several where one says too little."""
        return (name,)

    @abstractmethod
    def opened(self, name: str | None, wish: Wish) -> AbstractContextManager[Machine]:
        """Get a machine ready for the block: boot, connect, lock; and tidy up behind it.

        Args:
            name: What stood behind the colon, or None.
            wish: What for.

        Raises:
            InputError: the wish is incomplete, or nothing for this kind.
            DeviceError: the device cannot be used.
        """

    def listed(self) -> Sequence[Listed]:
        """The connected devices of this kind, usable or not.

        Raises:
            DeviceError: nobody can be asked.
        """
        return ()


KINDS: Registry[Kind] = Registry("benchmark.devices.kinds", "KIND", "kind of device")


def parse_device(text: str) -> tuple[Kind, str | None]:
    """Read "adb:SERIAL" or "arm64": the kind, and what stands behind the colon.

    Raises:
        InputError: the kind is unknown, or the name is none of its machines.
    """
    word, _, name = text.partition(":")
    kind = KINDS[word.replace("-", "_")]
    if name:
        kind.require_name(name)
    return kind, name or None

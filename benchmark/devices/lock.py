"""Keeps two runs off one device."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.devices.errors import DeviceError
from model.foundation.cache import cache_folder


@contextmanager
def locked(identity: str) -> Iterator[None]:
    """Hold a device for the block. The lock ends with the process, however that ends.

    Args:
        identity: The device's own serial number, so that USB and network count as the same device.

    Raises:
        DeviceError: another run holds it; names its process.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / re.sub(r"[^\w.-]", "_", identity)
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise DeviceError(
                f"another benchmark (process {holder}) is using {identity}: wait for it, or end that process"
            ) from None
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        yield

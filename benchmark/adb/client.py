"""The one module that talks adb. Every failure leaves it as a DeviceError with one clear line."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import adbutils  # type: ignore[import-untyped]

from benchmark.errors import DeviceError, DeviceFullError, DeviceGoneError, DeviceTimeoutError
from model.foundation.artifact import replacing, sha256_of

SERVER_TIMEOUT_S = 60.0
"""Silence on a connection after which the device counts as hanging, where a call names no other limit."""

STATE_ADVICE = {
    "unauthorized": "unlock its screen and allow USB debugging for this computer",
    "offline": "unplug it and plug it in again, or `adb reconnect`",
    "no": "this user may not open its USB port; add a udev rule (Debian: android-sdk-platform-tools-common)",
    "recovery": "boot it into Android",
    "bootloader": "boot it into Android",
    "sideload": "boot it into Android",
    "host": "the port belongs to another adb server",
    "authorizing": "wait for it, and allow USB debugging on its screen",
    "connecting": "wait for it",
}


@dataclass(frozen=True)
class Listed:
    """One line of `adb devices`: a serial and its state ("device" when usable)."""

    serial: str
    state: str


@dataclass(frozen=True)
class ShellResult:
    """What a command on the device returned."""

    exit_code: int
    stdout: str
    stderr: str


def client() -> adbutils.AdbClient:
    """The adb server of this machine (ANDROID_ADB_SERVER_PORT is honoured), started if none runs."""
    port = int(os.environ.get("ANDROID_ADB_SERVER_PORT", "5037"))
    return adbutils.AdbClient(host="127.0.0.1", port=port, socket_timeout=SERVER_TIMEOUT_S)


def listed_devices() -> list[Listed]:
    """Every device that the adb server knows, usable or not, sorted by serial.

    Raises:
        DeviceError: the adb server neither runs nor starts.
    """
    with _translated("adb"):
        return sorted(
            (Listed(found.serial, found.state) for found in client().list()), key=lambda found: found.serial
        )


def connect(address: str, timeout_s: float = 10.0) -> None:
    """`adb connect ADDRESS` ("host:port").

    Raises:
        DeviceError: nothing answers there.
    """
    with _translated(address):
        answer = client().connect(address, timeout=timeout_s)
    if "connected to" not in answer:
        raise DeviceError(f"{address}: {answer.strip()}")


def disconnect(address: str) -> None:
    """`adb disconnect ADDRESS`; an address that is not connected is no error."""
    with _translated(address):
        client().disconnect(address)


def choose(serial: str | None) -> AdbDevice:
    """The device with this serial, or the only one if `serial` is None.

    Raises:
        DeviceError: there is none, there are several and no serial was given, or it is not usable
            (unauthorised, offline ...).
    """
    devices = listed_devices()
    if serial is None and len(devices) > 1:
        names = ", ".join(f"{found.serial} ({found.state})" for found in devices)
        raise DeviceError(
            f"{len(devices)} devices are connected, choose one with --device adb:SERIAL: {names}"
        )
    matching = [found for found in devices if serial in (None, found.serial)]
    if not matching:
        if serial is not None and ":" in serial:
            connect(serial)
            return AdbDevice(serial)
        present = ", ".join(found.serial for found in devices) or "none"
        wanted = f"device {serial}" if serial else "a device"
        raise DeviceError(
            f"expected {wanted} over adb, connected: {present}; enable USB debugging and plug it in"
        )
    (found,) = matching
    if found.state != "device":
        advice = STATE_ADVICE.get(found.state, "check it")
        raise DeviceError(f"{found.serial} is {found.state}: {advice}")
    return AdbDevice(found.serial)


class AdbDevice:
    """A usable device.

    Attributes:
        serial: Its name in `adb devices`.
    """

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self._device = client().device(serial)

    def shell(self, command: str, timeout_s: float = SERVER_TIMEOUT_S) -> ShellResult:
        """Run a command line on the device and wait for its end.

        Args:
            command: For the device's own sh.
            timeout_s: Longest silence in seconds.

        Raises:
            DeviceTimeoutError: no output for `timeout_s` seconds.
            DeviceGoneError: the connection broke.
        """
        with _translated(self.serial, command, timeout_s):
            done = self._device.shell2(command, timeout=timeout_s, v2=True)
        return ShellResult(int(done.returncode), str(done.stdout or done.output), str(done.stderr or ""))

    def check(self, command: str, timeout_s: float = SERVER_TIMEOUT_S) -> str:
        """Run a command that must succeed and return what it prints.

        Raises:
            DeviceError: its exit code is not 0; carries its last line.
        """
        done = self.shell(command, timeout_s)
        if done.exit_code != 0:
            lines = (done.stderr + done.stdout).strip().splitlines()
            reason = lines[-1] if lines else "no output"
            raise _full_or_plain(
                f"{self.serial}: `{_shortened(command)}` ended with {done.exit_code}: {reason}"
            )
        return done.stdout

    def run_to_end(self, command: Sequence[str], pid_file: str, silence_s: float) -> ShellResult:
        """Run a program, standard error joined with its output; end it there if it hangs or ctrl-C ends us.

        Args:
            command: Program and arguments.
            pid_file: A path on the device for its process number.
            silence_s: Longest silence in seconds.

        Raises:
            DeviceTimeoutError: it hung, and was killed.
            DeviceGoneError: the connection broke.
        """
        line = " ".join(shlex.quote(part) for part in command)
        try:
            return self.shell(f"echo $$ > {pid_file}; exec {line} 2>&1", timeout_s=silence_s)
        except (DeviceTimeoutError, KeyboardInterrupt):
            with suppress(DeviceError):
                self.shell(f"kill -9 $(cat {pid_file})", timeout_s=10)
            raise
        finally:
            with suppress(DeviceError):
                self.shell(f"rm -f {pid_file}", timeout_s=10)

    @contextmanager
    def lines(self, command: str, silence_s: float) -> Iterator[Iterator[str]]:
        """Start a command and give its output line by line while it runs; the block's end ends it.

        Raises:
            DeviceTimeoutError: no line for `silence_s` seconds.
            DeviceGoneError: the connection broke.
        """
        with _translated(self.serial, command, silence_s):
            connection = self._device.open_transport(timeout=silence_s)
            try:
                connection.send_command(f"shell:{command}")
                connection.check_okay()
                yield self._lines_of(connection, command, silence_s)
            finally:
                connection.close()

    def _lines_of(self, connection: adbutils.AdbConnection, command: str, silence_s: float) -> Iterator[str]:
        buffered = b""
        while True:
            with _translated(self.serial, command, silence_s):
                chunk = connection.recv(65536)
            if not chunk:
                break
            *complete, buffered = (buffered + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip("\r") for line in complete)
        if buffered:
            yield buffered.decode("utf-8", "replace")

    def push(self, source: Path, target: str) -> bool:
        """Copy a file to the device, unless a file with the same contents is there already.

        Returns:
            Whether anything was sent.

        Raises:
            DeviceFullError: no room; the unfinished file is removed.
            DeviceError: the device refuses or damages the file.
        """
        digest = sha256_of(source)
        if self.sha256(target) == digest:
            return False
        self.check(f"mkdir -p {shlex.quote(os.path.dirname(target))}")  # noqa: PTH120 - a path of the device
        self._require_room(source, target)
        partial = f"{target}.partial"
        try:
            with _translated(self.serial, f"push {source.name}"):
                self._device.sync.push(source, partial, mode=0o755)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            self.remove(partial)
            self._require_room(source, target)
            raise DeviceError(f"{self.serial} did not take {source.name}: {error}") from None
        if self.sha256(partial) != digest:
            self.remove(partial)
            self._require_room(source, target)
            raise DeviceError(f"{self.serial}: {source.name} arrived damaged; try again or another cable")
        self.check(f"mv {shlex.quote(partial)} {shlex.quote(target)}")
        return True

    def pull(self, source: str, target: Path) -> None:
        """Copy a file from the device; `target` is written whole or not at all.

        Raises:
            DeviceError: no such file, or the connection broke.
        """
        with replacing(target) as temporary, _translated(self.serial, f"pull {source}"):
            self._device.sync.pull_file(source, temporary)

    def sha256(self, path: str) -> str | None:
        """SHA-256 of a file on the device as 64 hex digits; None if it is absent."""
        done = self.shell(f"sha256sum {shlex.quote(path)} 2>/dev/null")
        first = done.stdout.split()[:1]
        return first[0] if done.exit_code == 0 and first and len(first[0]) == 64 else None

    def remove(self, path: str) -> None:
        """Delete a file or folder; an absent one is no error."""
        self.shell(f"rm -rf {shlex.quote(path)}")

    def free_bytes(self, folder: str) -> int | None:
        """Room left in a folder's file system in bytes; None where `df` does not tell."""
        rows = self.shell(f"df -k {shlex.quote(folder)} 2>/dev/null").stdout.splitlines()
        fields = rows[-1].split() if len(rows) > 1 else []
        return int(fields[-3]) * 1024 if len(fields) >= 4 and fields[-3].isdigit() else None

    def _require_room(self, source: Path, target: str) -> None:
        folder = target.rsplit("/", 1)[0]
        free, needed = self.free_bytes(folder), source.stat().st_size
        if free is not None and free < needed:
            raise DeviceFullError(
                f"{self.serial} has {free / 1e6:.1f} MB free in {folder}, "
                f"{source.name} needs {needed / 1e6:.1f} MB: make room"
            )


def _shortened(command: str, most: int = 100) -> str:
    flat = " ".join(command.split())
    return flat if len(flat) <= most else flat[: most - 3] + "..."


def _full_or_plain(message: str) -> DeviceError:
    return DeviceFullError(message) if "No space left" in message else DeviceError(message)


@contextmanager
def _translated(serial: str, command: str = "", timeout_s: float = SERVER_TIMEOUT_S) -> Iterator[None]:
    """Turn what adbutils raises into one line about this device."""
    doing = f" during `{_shortened(command)}`" if command else ""
    try:
        yield
    except adbutils.AdbTimeout:
        raise DeviceTimeoutError(f"{serial} did not answer for {timeout_s:.0f} s{doing}") from None
    except adbutils.AdbError as error:
        raise _of_message(serial, str(error), doing) from None
    except EOFError:
        raise DeviceGoneError(
            f"{serial} disappeared{doing}: reconnect it, then repeat with --resume"
        ) from None
    except TimeoutError:
        raise DeviceTimeoutError(f"{serial} did not answer for {timeout_s:.0f} s{doing}") from None
    except ConnectionError as error:
        raise DeviceGoneError(f"{serial}: the connection to adb broke{doing} ({error})") from None


def _of_message(serial: str, message: str, doing: str) -> DeviceError:
    text = message.strip() or "connection closed"
    if "unauthorized" in text:
        return DeviceError(f"{serial} is unauthorized: {STATE_ADVICE['unauthorized']}")
    if "offline" in text:
        return DeviceGoneError(
            f"{serial} is offline{doing}: {STATE_ADVICE['offline']}, then repeat with --resume"
        )
    if "not found" in text or "closed" in text or "Invalid sync cmd" in text:
        return DeviceGoneError(
            f"{serial} disappeared{doing}: reconnect it, then repeat with --resume ({text})"
        )
    return _full_or_plain(f"{serial}: adb says {text!r}{doing}")

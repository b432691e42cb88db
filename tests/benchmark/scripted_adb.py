"""An adb server that replays phones: the real client talks to it over a real socket.

It speaks the host protocol (devices, transports, features), shell v1 and v2 and the file protocol, and keeps
each phone's files. Commands are answered by the phone's own small shell; a test scripts what goes wrong.
"""

from __future__ import annotations

import hashlib
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PHONES = Path(__file__).parent / "phones"
Answer = tuple[int, str]


def recorded(name: str) -> str:
    """What the probe prints on a phone of this family."""
    return (PHONES / f"{name}.txt").read_bytes().decode()


@dataclass
class Phone:
    """One scripted phone.

    Attributes:
        probe: What the probe of `facts.py` prints.
        state: As `adb devices` shows it.
        files: Path -> contents.
        free_kb: Room; None: `df` is absent.
        answers: (pattern, function from the command to (exit code, output)), tried first.
        hang_on, vanish_on: Patterns of commands that never answer, or that cut the connection.
        damage_pushes: Files arrive with a flipped byte.
        shell_v2: Whether the phone knows exit codes of its own.
        logcat: Lines that `logcat` prints, made when it starts.
        commands: Every command it got, in order.
    """

    probe: str = ""
    state: str = "device"
    files: dict[str, bytes] = field(default_factory=dict)
    free_kb: int | None = 1_000_000
    answers: list[tuple[str, Callable[[str], Answer]]] = field(default_factory=list)
    hang_on: str = ""
    vanish_on: str = ""
    damage_pushes: bool = False
    shell_v2: bool = True
    logcat: Callable[[], list[str]] = list
    commands: list[str] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)

    def run(self, command: str) -> Answer:
        """Answer one command line."""
        # A probe asks for everything at once: only an answer meant for it may take its place.
        probing = "@@" in command
        for pattern, answer in self.answers:
            if re.search(pattern, command) and (not probing or pattern.startswith("@@")):
                return answer(command)
        if "@@getprop" in command or "@@clocks" in command:
            return 0, self.probe
        if match := re.match(r"sha256sum (\S+)", command):
            content = self.files.get(match.group(1).strip("'"))
            return (1, "") if content is None else (0, f"{hashlib.sha256(content).hexdigest()}  file\n")
        if command.startswith("df "):
            if self.free_kb is None:
                return 127, ""
            return (
                0,
                f"Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/x 9 9 {self.free_kb} 1% /data\n",
            )
        if match := re.match(r"mv (\S+) (\S+)", command):
            self.files[match.group(2)] = self.files.pop(match.group(1))
            return 0, ""
        if match := re.match(r"cat (\S+)$", command):
            content = self.files.get(match.group(1))
            return (1, "No such file or directory\n") if content is None else (0, content.decode())
        for target in re.findall(r"rm -r?f (\S+)", command):
            for path in [path for path in self.files if path.startswith(target)]:
                del self.files[path]
        return 0, ""


class ScriptedServer:
    """The server; use it as a context manager.

    Attributes:
        phones: Serial -> phone.
        port: Where it listens.
    """

    def __init__(self, **phones: Phone) -> None:
        self.phones = phones
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    server.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._closing = threading.Event()
        self.port = self._server.server_address[1]

    def __enter__(self) -> ScriptedServer:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, connection: socket.socket) -> None:
        """One connection: a host request, or a transport and then a service."""
        request = _read_request(connection)
        if request == "host:version":
            _okay(connection, "0029")
        elif request == "host:devices":
            _okay(connection, "".join(f"{name}\t{phone.state}\n" for name, phone in self.phones.items()))
        elif request.startswith("host:connect:"):
            known = request.removeprefix("host:connect:") in self.phones
            _okay(connection, "connected to it" if known else "failed to connect: Connection refused")
        elif match := re.match(r"host-serial:(.+):features$", request):
            if phone := self._phone(connection, match.group(1)):
                _okay(connection, "shell_v2,cmd,stat_v2" if phone.shell_v2 else "cmd")
        elif match := re.match(r"host:tport:serial:(.+)$", request):
            if phone := self._phone(connection, match.group(1)):
                connection.sendall(b"OKAY" + b"\1" + b"\0" * 7)
                self._service(connection, phone, _read_request(connection))
        else:
            _fail(connection, f"unknown host service: {request}")

    def _phone(self, connection: socket.socket, serial: str) -> Phone | None:
        phone = self.phones.get(serial)
        if phone is None:
            _fail(connection, f"device '{serial}' not found")
        elif phone.state != "device":
            _fail(connection, f"device {phone.state}")
        return phone if phone and phone.state == "device" else None

    def _service(self, connection: socket.socket, phone: Phone, service: str) -> None:
        if service == "sync:":
            connection.sendall(b"OKAY")
            self._sync(connection, phone)
            return
        kind, _, command = service.partition(":")
        phone.commands.append(command)
        connection.sendall(b"OKAY")
        if phone.hang_on and re.search(phone.hang_on, command):
            self._closing.wait(30)
            return
        if phone.vanish_on and re.search(phone.vanish_on, command):
            phone.state = "offline"
            return
        if command.startswith("logcat"):
            for line in phone.logcat():
                connection.sendall(line.encode() + b"\n")
                time.sleep(0.01)
            return
        code, text = phone.run(command.removesuffix("; echo X4EXIT:$?"))
        if kind == "shell,v2":
            for start in range(0, len(text.encode()), 60000):
                part = text.encode()[start : start + 60000]
                connection.sendall(struct.pack("<BI", 1, len(part)) + part)
            connection.sendall(struct.pack("<BIB", 3, 1, code))
        else:
            suffix = f"X4EXIT:{code}\n" if "X4EXIT" in command else ""
            connection.sendall((text + suffix).encode())

    def _sync(self, connection: socket.socket, phone: Phone) -> None:
        """STAT, SEND and RECV of the file protocol. Source: AOSP, packages/modules/adb/SYNC.TXT."""
        head = _exactly(connection, 8)
        path = _exactly(connection, struct.unpack("<I", head[4:])[0]).decode()
        phone.commands.append(f"sync {head[:4].decode()} {path}")
        if phone.vanish_on and re.search(phone.vanish_on, path):
            phone.state = "offline"
            return
        if head[:4] == b"STAT":
            content = phone.files.get(path)
            mode = 0 if content is None else 0o100755
            connection.sendall(
                b"STAT" + struct.pack("<III", mode, len(content or b""), 1 if content is not None else 0)
            )
        elif head[:4] == b"SEND":
            self._receive(connection, phone, path.rsplit(",", 1)[0])
        elif head[:4] == b"RECV":
            if path not in phone.files:
                reason = b"No such file or directory"
                connection.sendall(b"FAIL" + struct.pack("<I", len(reason)) + reason)
                return
            content = phone.files[path]
            for start in range(0, len(content), 65536):
                part = content[start : start + 65536]
                connection.sendall(b"DATA" + struct.pack("<I", len(part)) + part)
            connection.sendall(b"DONE" + struct.pack("<I", 0))

    def _receive(self, connection: socket.socket, phone: Phone, path: str) -> None:
        content = bytearray()
        while (head := _exactly(connection, 8))[:4] == b"DATA":
            content += _exactly(connection, struct.unpack("<I", head[4:])[0])
        if phone.free_kb is not None and len(content) > phone.free_kb * 1024:
            reason = b"couldn't write: No space left on device"
            connection.sendall(b"FAIL" + struct.pack("<I", len(reason)) + reason)
            return
        if phone.damage_pushes:
            content[0] ^= 1
        phone.files[path] = bytes(content)
        phone.pushes.append(path)
        connection.sendall(b"OKAY" + struct.pack("<I", 0))


def _read_request(connection: socket.socket) -> str:
    return _exactly(connection, int(_exactly(connection, 4), 16)).decode()


def _exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        part = connection.recv(count - len(content))
        if not part:
            raise ConnectionError("the client left")
        content += part
    return content


def _okay(connection: socket.socket, text: str) -> None:
    connection.sendall(b"OKAY" + f"{len(text.encode()):04x}".encode() + text.encode())


def _fail(connection: socket.socket, text: str) -> None:
    connection.sendall(b"FAIL" + f"{len(text.encode()):04x}".encode() + text.encode())

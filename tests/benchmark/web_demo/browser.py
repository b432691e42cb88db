"""A headless Chromium, driven through the pipe that it offers for this: no client library, no port."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 120.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--remote-debugging-pipe",
)  # fmt: skip


class Page:
    """One tab. Source: the Chrome DevTools Protocol."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = os.fdopen(reads, "rb"), os.fdopen(writes, "wb")
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._rest = b""
        self.requests: list[str] = []
        self.console: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._writes.write(json.dumps(message).encode() + b"\0")
        self._writes.flush()
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def open(self, address: str, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        self.wait_for(f"location.href === '{address}' && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """What JavaScript makes of an expression, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        end = time.monotonic() + SECONDS
        while not self.value(expression):
            shown = self.value("document.body.innerText")
            assert time.monotonic() < end, f"{expression}: {shown} {self.console}"
            time.sleep(0.1)

    def choose(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files in a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def screenshot(self, path: Path) -> None:
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._reads.fileno(), 1 << 16)
            assert more, "the browser went away"
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        details = answer.get("params", {})
        if answer.get("method") == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        if answer.get("method") == "Log.entryAdded":
            self.console.append(details["entry"]["text"])
        if answer.get("method") == "Runtime.exceptionThrown":
            self.console.append(json.dumps(details["exceptionDetails"]))
        return answer


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Page]:
    """Start the browser with a profile of its own, and end it."""
    child_reads, writes = os.pipe()
    reads, child_writes = os.pipe()
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    # The browser insists on 3 and 4; numbers from 10 on cannot be in their way.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (child_reads, child_writes)]
    pipes = [(os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(ends, (3, 4), strict=True)]
    command = [program, *FLAGS, f"--user-data-dir={profile}"]
    process = os.posix_spawn(program, command, os.environ, file_actions=[*silent, *pipes])
    for end in (child_reads, child_writes, *ends):
        os.close(end)
    try:
        yield Page(reads, writes)
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)

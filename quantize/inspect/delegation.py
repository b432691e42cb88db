"""Which operators XNNPACK takes, asked of the runtime itself and not of a table that ages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.foundation.command_line.progress import chatter_aside
from model.foundation.errors import InputError
from model.runtime.flatbuffer import read_content
from model.runtime.interpreter import TfliteInterpreter


@dataclass(frozen=True)
class Delegation:
    """How the installed runtime divides a file.

    Attributes:
        partitions: For each part that XNNPACK runs, the places of its operators in execution order.
        problem: Why the runtime cannot prepare the file; None when it can.
    """

    partitions: tuple[frozenset[int], ...]
    problem: str | None = None

    @property
    def taken(self) -> frozenset[int]:
        """All operators that XNNPACK runs."""
        return frozenset().union(*self.partitions)


def ask_runtime(path: Path) -> Delegation:
    """Load a file as an app does, XNNPACK included, and read from the prepared graph what it took.

    The runtime puts one node for each part that the delegate runs behind the file's own operators. Its
    inputs and outputs are known; the operators on the way from the ones to the others are the part.

    Raises:
        InputError: not a file, or not TFLite as the runtime verifies it (damaged, truncated).
    """
    content = read_content(path)
    try:
        with chatter_aside():
            nodes = TfliteInterpreter(content).operators()
    except InputError as error:  # whole, but not for this runtime
        return Delegation((), str(error).splitlines()[0])
    own = [node for node in nodes if node["op_name"] != "DELEGATE"]
    makers = {int(i): place for place, node in enumerate(own) for i in node["outputs"]}
    parts = [node for node in nodes if node["op_name"] == "DELEGATE"]
    return Delegation(tuple(_between(part, own, makers) for part in parts))


def _between(part: Any, own: list[Any], makers: dict[int, int]) -> frozenset[int]:
    outside = {int(i) for i in part["inputs"]}
    found: set[int] = set()
    wanted = [int(i) for i in part["outputs"]]
    while wanted:
        maker = makers.get(wanted.pop())
        if maker is not None and maker not in found:
            found.add(maker)
            wanted += [int(i) for i in own[maker]["inputs"] if i >= 0 and int(i) not in outside]
    return frozenset(found)

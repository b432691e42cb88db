"""Latencies of public networks on named devices, as others published them, to calibrate predictions on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["float", "int8"]
"""Which arithmetic: they use different instructions, so their cycles per instruction differ."""

PUBLIC_COUNTS = Path(__file__).with_name("public_counts.json")
"""Instructions of the published networks, as `fit-cycles` counted them."""

PUBLISHED = Path(__file__).with_name("published.json")
"""The published latencies, and the classes of phones to predict for."""

BUILD_ERROR = 29 / 24 - 1
"""What a 32-bit build says about a 64-bit one: on the Raspberry Pi 4, which XNNPACK's table has in both, the
four networks' times differ by 77:72, 46:41, 29:24 and 20:17; this is the largest of them."""


@dataclass(frozen=True)
class Published:
    """One published latency.

    Attributes:
        network: "mobilenet_v1" or "mobilenet_v2", 1.0 at 224x224.
        kind: Its arithmetic.
        board: Whose latency it is.
        processor: The core that ran it.
        emulated: The emulated core whose instruction count stands for it.
        clock_ghz: Highest clock of that core in that device.
        threads: Threads of the published figure.
        milliseconds: The published figure.
        source: Where it stands.
        is_32_bit: The build that was timed, where what we count is 64-bit code.
    """

    network: str
    kind: Kind
    board: str
    processor: str
    emulated: str
    clock_ghz: float
    threads: int
    milliseconds: float
    source: str
    is_32_bit: bool = False


@dataclass(frozen=True)
class Phone:
    """A class of phones to predict for.

    Attributes:
        name: E.g. "4x or 8x Cortex-A53, 1.4 GHz".
        counted: The emulated core whose instructions it executes.
        clock_ghz: Clock of the cores that work.
        board: The board whose CPI it gets.
        transferred: The CPI comes from another core than the phone's.
    """

    name: str
    counted: str
    clock_ghz: float
    board: str
    transferred: bool = False


@dataclass(frozen=True)
class PublishedFile:
    """What `published.json` holds. Phones with eight Cortex-A53 or A55 have two groups of four: four threads
    run on the faster group."""

    latencies: tuple[Published, ...]
    phones: tuple[Phone, ...]

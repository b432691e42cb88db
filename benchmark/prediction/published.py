"""Latencies of public networks on named devices, as others published them, to calibrate predictions on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["float", "int8"]
"""Which arithmetic: they use different instructions, so their cycles per instruction differ."""

PUBLIC_COUNTS = Path(__file__).with_name("public_counts.json")
"""Instructions of the published networks, as `fit-cycles` counted them."""

XNNPACK_README = "https://github.com/google/XNNPACK/blob/master/README.md"


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


def _rows(
    board: tuple[str, str, str, float, int], figures: dict[tuple[str, Kind], float], source: str
) -> list[Published]:
    name, processor, emulated, clock, threads = board
    return [
        Published(network, kind, name, processor, emulated, clock, threads, milliseconds, source)
        for (network, kind), milliseconds in figures.items()
    ]


BUILD_ERROR = 29 / 24 - 1
"""What a 32-bit build says about a 64-bit one: on the Raspberry Pi 4, which XNNPACK's table has in both, the
four networks' times differ by 77:72, 46:41, 29:24 and 20:17; this is the largest of them."""

PHONES_2020 = f"{XNNPACK_README} (single-threaded, measured 2020-03-27)"
BUILDS_32_BIT = ("Raspberry Pi 3+",)

BOARDS_2022 = f"{XNNPACK_README} (multi-threaded, measured 2022-02-08, int8 per channel)"

LATENCIES: list[Published] = [
    # This build is 32-bit, what we count is 64-bit code: BUILD_ERROR joins the fit's own error.
    *_rows(
        ("Raspberry Pi 3+", "Cortex-A53", "cortex-a53", 1.4, 4),
        {
            ("mobilenet_v1", "float"): 114,
            ("mobilenet_v2", "float"): 79,
            ("mobilenet_v1", "int8"): 46,
            ("mobilenet_v2", "int8"): 30,
        },
        BOARDS_2022,
    ),
    *_rows(
        ("Raspberry Pi 4 (64-bit)", "Cortex-A72", "cortex-a72", 1.5, 4),
        {
            ("mobilenet_v1", "float"): 77,
            ("mobilenet_v2", "float"): 46,
            ("mobilenet_v1", "int8"): 24,
            ("mobilenet_v2", "int8"): 17,
        },
        BOARDS_2022,
    ),
    # QEMU has no Cortex-A73: the A72 has the same instruction set, and XNNPACK the same kernels for both.
    *_rows(
        ("Pixel 2", "Kryo 280 Gold (Cortex-A73)", "cortex-a72", 2.35, 1),
        {("mobilenet_v1", "float"): 86, ("mobilenet_v2", "float"): 53},
        PHONES_2020,
    ),
    # Nor a Cortex-A75: the A76 has the same instruction set.
    *_rows(
        ("Pixel 3a", "Kryo 360 Gold (Cortex-A75)", "cortex-a76", 2.0, 1),
        {("mobilenet_v1", "float"): 88, ("mobilenet_v2", "float"): 55},
        PHONES_2020,
    ),
]

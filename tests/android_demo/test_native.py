"""The app's C library: its vectors give the plain loop's bytes, and it needs nothing that Android lacks."""

from __future__ import annotations

import statistics
import struct
import subprocess
from pathlib import Path

import pytest

from android_demo.script_build import debian, elf16k, native
from benchmark.runner.c_compiler import compile_c
from model.foundation.errors import InputError

HERE = Path(__file__).parent / "native"
LAYOUTS = 2000
MACHINES = {
    "arm64": ("aarch64-linux-musl", "-mcpu=cortex_a53", "qemu-aarch64", "cortex-a53"),
    "armhf": ("arm-linux-musleabihf", "-mcpu=cortex_a7", "qemu-arm", "cortex-a7"),
}
"""Never QEMU's "max": version 7.2 computes some products of integers wrongly."""

COSTS = {"640 480 0 2 320 0": 0.52e6, "640 480 90 2 320 0": 0.78e6, "1280 720 90 2 320 0": 0.82e6}
"""Width, height, turn, bytes from chroma sample to sample, side of the input, form -> instructions at most.
Counted on the A53: 0.48, 0.71 and 0.74 M."""


def check_program(machine: str, folder: Path) -> Path:
    """sampler_check for an ARM machine, with a C library inside."""
    triple, cpu, _, _ = MACHINES[machine]
    options = (cpu, "-static", *native.FLAGS[:5], f"-I{native.SOURCES}")
    program = folder / f"sampler_check-{machine}"
    compile_c(
        options, [HERE / "sampler_check.c", HERE / "plain.c", native.SOURCES / "sampler.c"], program, triple
    )
    return program


@pytest.mark.android
@pytest.mark.parametrize("machine", MACHINES)
def test_vectors_give_the_bytes_of_the_plain_loop(machine: str, tmp_path: Path) -> None:
    _, _, emulator, core = MACHINES[machine]
    try:
        command = debian.tool(emulator)
    except InputError as error:
        pytest.skip(str(error))
    program = check_program(machine, tmp_path)
    done = subprocess.run(
        [command, "-cpu", core, program, "alike", str(LAYOUTS), "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    methods = [int(count) for count in done.stdout.split("by method")[1].split()]
    reached = methods if machine == "arm64" else methods[:4]
    assert all(reached), f"a way of sampling was not tried: {done.stdout}"


@pytest.mark.parametrize("abi", ["arm64-v8a", "armeabi-v7a"])
def test_the_library_needs_nothing_and_suits_large_pages(abi: str) -> None:
    content = native.library(abi).read_bytes()
    assert elf16k.load_alignment(content) == elf16k.PAGE
    assert len(content) < 32768
    needed, undefined = dynamic_needs(content)
    assert not needed
    assert not undefined


def dynamic_needs(content: bytes) -> tuple[list[int], list[str]]:
    """Libraries that a shared object asks for, and names that it leaves to others.

    Source: ELF (gABI, chapter 5).
    """
    wide = content[4] == 2
    kinds = (
        {"header": "<40xQ10xHH", "section": "<IIQQQQIIQQ", "entry": "<QQ", "symbol": "<IBBHQQ"}
        if wide
        else {"header": "<32xI10xHH", "section": "<10I", "entry": "<II", "symbol": "<IIIBBH"}
    )
    start, size, count = struct.unpack_from(kinds["header"], content)
    sections = [
        struct.unpack_from(kinds["section"], content, start + size * number) for number in range(count)
    ]
    needed, undefined = [], []
    for section in sections:
        rows = content[section[4] : section[4] + section[5]]
        if section[1] == 6:
            needed += [value for tag, value in struct.iter_unpack(kinds["entry"], rows) if tag == 1]
        if section[1] == 11:
            names = sections[section[6]]
            for row in list(struct.iter_unpack(kinds["symbol"], rows))[1:]:
                if row[3 if wide else 5] == 0:
                    text = content[names[4] + row[0] :]
                    undefined.append(text[: text.index(0)].decode())
    return needed, undefined


@pytest.mark.arm
@pytest.mark.slow
def test_a_frame_costs_what_the_documentation_says(tmp_path: Path) -> None:
    from benchmark.emulation.guest import running_guest

    program = check_program("arm64", tmp_path)
    with running_guest("cortex-a53", counting=True, fetch=False) as guest:
        guest.device.push(program, "/tmp/sampler_check")
        guest.device.check("chmod 755 /tmp/sampler_check")
        for case, limit in COSTS.items():
            counts = guest.device.check(f"/tmp/sampler_check cost {case} 5").split()
            assert statistics.median(map(int, counts)) <= limit, case

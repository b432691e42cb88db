"""`arm`: fetches and builds the emulated ARM machines, once, and boots one to prove it."""

from __future__ import annotations

import argparse
import time

from rich.console import Console

from benchmark.devices.compile import runner_for
from benchmark.emulation import packages, wheels
from benchmark.emulation.armhf import SYSTEM, counter_plugin, emulator_packages
from benchmark.emulation.guest import emulator, running_guest
from benchmark.emulation.image import guest_image
from model.foundation.cache import cache_folder


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "arm", help="prepare the emulated ARM machines (downloads about 150 MB once)", description=__doc__
    )
    parser.add_argument("--core", default="cortex-a53", help="core to boot as a proof (default: cortex-a53)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch, build and boot.

    Raises:
        InputError: this machine has no apt, no Debian keyring or no mirror, or a download fails.
        DeviceError: the guest does not boot.
    """
    base, console = cache_folder() / "arm", Console(stderr=True)
    with console.status("fetching the emulator") as status:
        emulator()
        status.update("fetching the guest: Debian's kernel, adbd, LiteRT")
        image = guest_image()
        status.update("fetching 32-bit ARM: Python, numpy, tflite-runtime")
        packages.unpacked(SYSTEM, base)
        packages.unpacked(emulator_packages(), base)
        wheels.unpacked(wheels.TFLITE_ARMHF, base)
        status.update("building the runner")
        runner_for("arm64", image.library)
        counter_plugin()
        status.update(f"booting {options.core}")
        start = time.monotonic()
        with running_guest(options.core, counting=False) as guest:
            kernel = guest.device.check("uname -sr").strip()
    print(
        f"emulated ARM is ready in {base}: {kernel} on {options.core} "
        f"booted in {time.monotonic() - start:.1f} s"
    )
    return 0

"""`arm`: fetches and builds the emulated ARM machines, once, and boots one to prove it."""

from __future__ import annotations

import time


def arm(*, core: str = "cortex-a53") -> None:
    """Prepare the emulated ARM machines (about 150 MB, once, no root) and boot one as a proof.

    Needs a Debian or Ubuntu machine with apt; nothing is installed.

    Args:
        core: Core to boot.

    Raises:
        InputError: this machine has no apt, no Debian keyring or no mirror, or a download fails.
        DeviceError: the guest does not boot.
    """
    from benchmark import wheels
    from benchmark.emulation import packages, qemu_user
    from benchmark.emulation.guest import emulator, running_guest
    from benchmark.emulation.image import guest_image
    from benchmark.runner.build import runner_for
    from model.foundation.cache import cache_folder
    from model.foundation.command_line.progress import progress_console

    base = cache_folder() / "arm"
    with progress_console().status("fetching the emulator") as status:
        emulator()
        status.update("fetching the guest: Debian's kernel, adbd, LiteRT")
        image = guest_image()
        status.update("fetching 32-bit ARM: Python, numpy, tflite-runtime")
        qemu_user.armhf_system()
        packages.unpacked(qemu_user.emulator_packages(), base)
        wheels.unpacked(wheels.TFLITE_ARMHF, base)
        status.update("building the runner")
        runner_for("arm64", image.library)
        qemu_user.counter_plugin()
        status.update(f"booting {core}")
        start = time.monotonic()
        with running_guest(core, counting=False) as guest:
            kernel = guest.device.check("uname -sr").strip()
    seconds = time.monotonic() - start
    print(f"emulated ARM is ready in {base}: {kernel} on {core} booted in {seconds:.1f} s")

"""The emulated ARM machines, for real: adbd in a guest, LiteRT, instruction counts, bit-exact outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from benchmark.adb import client as adb
from benchmark.adb.facts import MachineFacts
from benchmark.devices.adb_machine import FOLDER
from benchmark.devices.kinds.adb import LinuxMachine, litert_program
from benchmark.devices.kinds.arm64 import Arm64Machine
from benchmark.devices.kinds.armhf import ArmhfMachine
from benchmark.devices.kinds.host import HostMachine
from benchmark.devices.machine import RunRequest
from benchmark.devices.method import TICK, Counting
from benchmark.devices.results import Setting
from benchmark.emulation.guest import running_guest
from benchmark.emulation.image import GUEST, cpio_of, guest_image
from benchmark.emulation.packages import Packages, unpacked
from benchmark.emulation.qemu_user import UserEmulator
from benchmark.errors import DeviceError, DeviceGoneError
from benchmark.runner.build import runner_for
from convert.tflite.export import write_tflite
from model.foundation.cache import cache_folder
from model.foundation.errors import InputError
from quantize.apply.quantizer import quantize_foreign

pytestmark = [pytest.mark.arm, pytest.mark.slow]

SIDE = 160


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small convolutional network in float32 and in int8, random weights."""
    import litert_torch
    import torch
    from torch import nn

    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Conv2d(16, 32, 1), nn.ReLU(), nn.Conv2d(32, 8, 3, 2, 1)).eval()
    folder = tmp_path_factory.mktemp("models")
    wrapped = litert_torch.to_channel_last_io(network, args=[0])
    write_tflite(wrapped, torch.rand(1, SIDE, SIDE, 3) * 255, folder / "float.tflite")
    generator = np.random.default_rng(1)
    pixels = [generator.uniform(0, 255, (1, SIDE, SIDE, 3)).astype(np.float32) for _ in range(4)]
    quantize_foreign(folder / "float.tflite", pixels, folder / "int8.tflite")
    return {"float": folder / "float.tflite", "int8": folder / "int8.tflite"}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four frames for each model."""
    folder = tmp_path_factory.mktemp("frames")
    generator = np.random.default_rng(2)
    pixels = generator.integers(0, 256, (4, SIDE, SIDE, 3))
    pixels.astype(np.float32).tofile(folder / "float")
    (pixels - 128).astype(np.int8).tofile(folder / "int8")
    return {"float": folder / "float", "int8": folder / "int8"}


@pytest.fixture(scope="module")
def guest() -> Iterator[adb.AdbDevice]:
    """A running guest."""
    with running_guest("cortex-a53", counting=False) as running:
        yield running.device


@contextmanager
def emulated(core: str, *, counting: bool) -> Iterator[Arm64Machine]:
    with ExitStack() as stack:
        yield Arm64Machine(core, counting, stack)


def outputs_of(machine, model: Path, frames: Path, folder: Path) -> bytes:
    request = RunRequest(
        model, warmup_runs=0, runs=0, min_seconds=0, frames=frames, outputs=folder, max_seconds=600
    )
    machine.run(request)
    return (folder / "0.raw").read_bytes()


def test_a_real_adbd_runs_commands(guest):
    done = guest.shell("uname -m; echo gone >&2; exit 7")
    assert (done.exit_code, done.stdout, done.stderr) == (7, "aarch64\n", "gone\n")
    with pytest.raises(DeviceError, match="ended with 1"):
        guest.check("false")


def test_a_real_adbd_takes_and_gives_files(guest, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(np.random.default_rng(3).bytes(3_000_000))
    assert guest.push(source, f"{FOLDER}/deep/source")
    assert not guest.push(source, f"{FOLDER}/deep/source")
    guest.pull(f"{FOLDER}/deep/source", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    with pytest.raises(DeviceError, match="No such file"):
        guest.pull(f"{FOLDER}/nothing", tmp_path / "nothing")
    guest.remove(FOLDER)
    assert guest.shell(f"ls {FOLDER}").exit_code != 0


def test_a_guest_that_dies_in_a_command():
    with running_guest("cortex-a53", counting=False) as running:
        device = running.device
        with pytest.raises(DeviceGoneError):
            device.shell("sync; echo b > /proc/sysrq-trigger; sleep 60", timeout_s=30)
        with pytest.raises(DeviceError):
            device.shell("true", timeout_s=10)


def test_the_emulator_ends_with_the_process_that_started_it():
    code = (
        "from benchmark.emulation.guest import running_guest\n"
        "with running_guest('cortex-a53', counting=False) as guest:\n"
        "    print(guest.device.serial, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert adb.AdbDevice(address).shell("true").exit_code == 0
    process.kill()
    process.wait()
    with pytest.raises(DeviceError):
        adb.AdbDevice(address).check("true", timeout_s=10)
    adb.disconnect(address)


def test_a_full_guest(guest, tmp_path):
    source = tmp_path / "large"
    with source.open("wb") as stream:
        stream.truncate(900_000_000)
    with pytest.raises(DeviceError, match="make room"):
        guest.push(source, f"{FOLDER}/large")
    assert guest.shell(f"ls {FOLDER}/large*").exit_code != 0


def test_a_runner_that_cannot_read_its_model(guest, tmp_path):
    image = guest_image()
    machine = LinuxMachine(guest, MachineFacts("t", "t", "t"), litert_program(image.library))
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(
        DeviceError, match=r"the runner failed \(1\): ERROR: .*tflite: LiteRT cannot prepare this model"
    ):
        machine.run(RunRequest(broken))
    machine.close()
    assert guest.shell(f"ls {FOLDER}").exit_code != 0


@pytest.mark.parametrize("core", ["cortex-a53", "cortex-a76"])
def test_integer_outputs_are_the_same_bytes_on_x86_and_arm(core, models, frames, tmp_path):
    host = HostMachine()
    expected = outputs_of(host, models["int8"], frames["int8"], tmp_path / "host")
    with emulated(core, counting=False) as machine:
        assert outputs_of(machine, models["int8"], frames["int8"], tmp_path / "arm") == expected
        found = np.frombuffer(
            outputs_of(machine, models["float"], frames["float"], tmp_path / "armf"), np.float32
        )
    floats = np.frombuffer(outputs_of(host, models["float"], frames["float"], tmp_path / "hostf"), np.float32)
    assert len(set(expected)) > 50
    np.testing.assert_allclose(found, floats, rtol=1e-4, atol=1e-3)


def test_instructions_repeat_and_agree_with_the_plugin(models, tmp_path):
    counts = []
    for _ in range(2):
        with emulated("cortex-a53", counting=True) as machine:
            counts.append(Counting(machine).measure(models["int8"], Setting(), profile=True))
    first, second = (one.instructions for one in counts)
    assert first is not None
    assert second is not None
    assert counts[0].valid
    assert counts[0].timing is None
    assert first.count > 3_000_000
    assert abs(first.count - second.count) < max(1e-3 * first.count, TICK)
    assert sum(one.share for one in counts[0].operators) == pytest.approx(1, abs=0.01)
    counted = plugin_count(models["int8"], tmp_path)
    # The plugin sees the program alone, the guest's clock also its kernel's timer ticks.
    assert counted <= first.count
    assert (first.count - counted) / counted < 0.02


def plugin_count(model: Path, folder: Path) -> int:
    """Instructions of one inference on arm64 as QEMU's plugin counts them under qemu-user."""
    image = guest_image()
    system = folder / "system"
    shutil.copytree(unpacked(GUEST, cache_folder() / "arm") / "usr", system / "usr", symlinks=True)
    (system / "lib").symlink_to("usr/lib")
    (system / "proc").mkdir()
    (system / "proc/cpuinfo").write_text(
        "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n"
        "CPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n\n"
    )
    program = folder / "litert_runner"
    shutil.copy(runner_for("arm64", image.library), program)
    shutil.copy(image.library / "libLiteRt.so", folder)
    emulator = UserEmulator("qemu-aarch64", "cortex-a53", system)
    totals = []
    for runs in (1, 11):
        command = [str(program), f"--graph={model}", "--warmup_runs=2", "--warmup_min_secs=0", "--min_secs=0"]
        _, total = emulator.run([*command, f"--num_runs={runs}"], {}, 300, count=True)
        assert total is not None
        totals.append(total)
    return (totals[1] - totals[0]) // 10


def test_32_bit_arm_runs_the_same_files(models, frames, tmp_path):
    machine = ArmhfMachine()
    floats = np.frombuffer(
        outputs_of(machine, models["float"], frames["float"], tmp_path / "arm"), np.float32
    )
    expected = np.frombuffer(
        outputs_of(HostMachine(), models["float"], frames["float"], tmp_path / "host"), np.float32
    )
    np.testing.assert_allclose(floats, expected, rtol=1e-4, atol=1e-3)
    assert machine.instructions(models["float"]).count > 100_000


def test_no_root_is_needed():
    """apt's private folder and dpkg -x, by a user without any rights where this test runs as root."""
    folder = Path(tempfile.mkdtemp(prefix="featherface-packages-"))
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.chdir(folder)
            unpacked(Packages("trixie", "arm64", (), ("busybox-static",)), folder)
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    busybox = list(folder.glob("trixie-arm64-*/usr/bin/busybox"))
    shutil.rmtree(folder)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(busybox) == 1


def test_a_core_that_computes_wrongly_is_refused():
    with pytest.raises(InputError, match="expected a core out of"), running_guest("max", counting=False):
        pass


def test_an_archive_that_the_kernel_unpacks(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("folder/file")
    archive = cpio_of(tmp_path)
    assert archive.startswith(b"070701")
    assert b"TRAILER!!!" in archive
    assert archive.index(b"folder\0") < archive.index(b"folder/file\0") < archive.index(b"link\0")
    assert json.dumps(len(archive) % 4) == "0"

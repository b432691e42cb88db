"""The guest's initial RAM disk: busybox, a real adbd, LiteRT, and nothing else."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from benchmark import wheels
from benchmark.emulation import packages
from benchmark.emulation.packages import Packages
from model.foundation.cache import cache_folder, filling
from model.foundation.errors import InputError

GUEST = Packages("trixie", "arm64", ("adbd",), ("busybox-static", "linux-image-cloud-arm64"))
"""Debian 13 is the first release with adbd."""

MODULES = ("net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net")
"""Kernel modules of the network card, in the order of their dependencies."""

ADB_PORT = 5555
READY = "guest ready"
WORK = "/data/local/tmp"
LIBRARY_FOLDER = "usr/lib/featherface"

INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts {WORK}
mount -t devpts devpts /dev/pts
mount -t tmpfs -o size=60% tmpfs /tmp
mount -t tmpfs -o size=60% tmpfs /data
mkdir -p {WORK}
for module in {" ".join(Path(name).name for name in MODULES)}; do insmod /lib/modules/$module.ko; done
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
hostname guest
cd /
echo {READY}
while true; do adbd; sleep 1; done
"""


@dataclass(frozen=True)
class GuestImage:
    """What the emulator boots.

    Attributes:
        kernel: Debian's arm64 kernel.
        initrd: The RAM disk.
        library: The folder with the guest's libLiteRt.so.
    """

    kernel: Path
    initrd: Path
    library: Path


def guest_image(fetch: bool = True) -> GuestImage:
    """Fetch what is missing and build the RAM disk, once.

    Args:
        fetch: False: use only what is there.

    Raises:
        InputError: something cannot be fetched, or is missing and must not be fetched.
    """
    base = cache_folder() / "arm"
    wheel = wheels.LITERT_ARM64
    digest = hashlib.sha256(repr((GUEST, wheel, MODULES, INIT)).encode()).hexdigest()[:16]
    folder = base / f"guest-{digest}"
    if not folder.is_dir():
        if not fetch:
            raise InputError("the emulated ARM machine is not prepared: run `python -m benchmark arm` once")
        root, runtime = packages.unpacked(GUEST, base), wheels.unpacked(wheel, base)
        with filling(folder) as temporary:
            library = runtime / "ai_edge_litert" / "libLiteRt.so"
            tree = temporary / "tree"
            _lay_out(root, library, tree)
            (temporary / "initrd").write_bytes(cpio_of(tree))
            shutil.copy(_only(root / "boot", "vmlinuz-*"), temporary / "kernel")
            (temporary / "litert").mkdir()
            shutil.copy(library, temporary / "litert")
            shutil.rmtree(tree)
    return GuestImage(folder / "kernel", folder / "initrd", folder / "litert")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InputError(
            f"expected one {pattern} in {folder}, found {len(found)}: delete the folder and repeat"
        )
    return found[0]


def _lay_out(root: Path, library: Path, tree: Path) -> None:
    """Put the files of the RAM disk below `tree`."""
    for name in ("bin", "proc", "sys", "dev", "tmp", "data", "etc", "lib/modules", "usr/bin", LIBRARY_FOLDER):
        (tree / name).mkdir(parents=True)
    libraries = "usr/lib/aarch64-linux-gnu"
    shutil.copytree(root / libraries, tree / libraries, symlinks=True, ignore=shutil.ignore_patterns("gconv"))
    (tree / "lib/aarch64-linux-gnu").symlink_to(f"/{libraries}")
    (tree / "lib/ld-linux-aarch64.so.1").symlink_to(f"/{libraries}/ld-linux-aarch64.so.1")
    shutil.copy(root / "usr/bin/busybox", tree / "bin/busybox")
    shutil.copy(root / "usr/lib/android-sdk/platform-tools/adbd", tree / "usr/bin/adbd")
    shutil.copy(library, tree / LIBRARY_FOLDER)
    kernel = _only(root / "usr/lib/modules", "*") / "kernel"
    for name in MODULES:
        (tree / f"lib/modules/{Path(name).name}.ko").write_bytes(
            lzma.decompress((kernel / f"{name}.ko.xz").read_bytes())
        )
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)


def cpio_of(folder: Path) -> bytes:
    """A folder as a cpio archive of the kind that the kernel unpacks ("newc"), root's, without dates.

    Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    archive = bytearray()

    def add(name: str, mode: int, content: bytes, serial: int) -> None:
        fields = (serial, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        archive.extend(b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0")
        archive.extend(b"\0" * (-len(archive) % 4) + content)
        archive.extend(b"\0" * (-len(archive) % 4))

    paths = sorted(folder.rglob("*"))
    for serial, path in enumerate(paths, start=1):
        name, status = path.relative_to(folder).as_posix(), path.lstat()
        if path.is_symlink():
            add(name, stat.S_IFLNK | 0o777, str(path.readlink()).encode(), serial)
        elif path.is_dir():
            add(name, stat.S_IFDIR | 0o755, b"", serial)
        else:
            add(name, stat.S_IFREG | (0o755 if status.st_mode & 0o111 else 0o644), path.read_bytes(), serial)
    add("TRAILER!!!", 0, b"", 0)
    return bytes(archive)

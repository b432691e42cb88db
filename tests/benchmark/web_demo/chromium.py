"""A headless Chromium for the tests, from npm: no machine needs to have one installed."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from benchmark.web_demo.npm import NpmPackage, unpacked
from model.foundation.cache import cache_folder, filling

PACKAGE = NpmPackage(
    "@sparticuz/chromium",
    "153.0.0",
    "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==",
)
"""Built for x86-64 Linux without a desktop; 70 MB, packed with Brotli."""
UNPACK = """
const { readFileSync, writeFileSync } = require("fs");
const [packed, target] = process.argv.slice(1);
writeFileSync(target, require("zlib").brotliDecompressSync(readFileSync(packed)));
"""


def chromium_program(node: str) -> Path:
    """The program, fetched and unpacked by the first call.

    Raises:
        InputError: it cannot be fetched.
    """
    cache = cache_folder() / "web_demo"
    root = cache / f"{PACKAGE.key}-unpacked"
    if not root.is_dir():
        packed = unpacked(PACKAGE, cache) / "bin"
        with filling(root) as temporary:
            for name in ("chromium", "al2023.tar"):
                subprocess.run([node, "-e", UNPACK, packed / f"{name}.br", temporary / name], check=True)
            with tarfile.open(temporary / "al2023.tar") as libraries:
                libraries.extractall(temporary, filter="data")
            (temporary / "chromium").chmod(0o755)
            start = temporary / "start"
            start.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{root}/lib" exec "{root}/chromium" "$@"\n')
            start.chmod(0o755)
    return root / "start"

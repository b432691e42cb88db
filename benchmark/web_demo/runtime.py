"""LiteRT.js, LiteRT with XNNPACK compiled to WebAssembly: fetched once, never committed."""

from __future__ import annotations

from pathlib import Path

from benchmark.web_demo.npm import NpmPackage, unpacked
from model.foundation.cache import cache_folder

VERSION = "2.5.3"
CORE = NpmPackage(
    "@litertjs/core",
    VERSION,
    "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
)
WASM_UTILS = NpmPackage(
    "@litertjs/wasm-utils",
    VERSION,
    "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
)
"""What CORE imports."""

NAME = f"LiteRT.js {VERSION}"


def runtime_folders() -> dict[str, Path]:
    """The packages' folders by the names that the page knows them by, fetched by the first call (12 MB).

    Raises:
        InputError: as `npm.unpacked`.
    """
    cache = cache_folder() / "web_demo"
    return {"core": unpacked(CORE, cache), "wasm-utils": unpacked(WASM_UTILS, cache)}

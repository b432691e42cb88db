"""The converters of the comparison, a script of `converters/` each, with an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.environment import header, run_script
from model.foundation.artifact import replacing, sha256_of
from model.foundation.errors import InputError
from model.foundation.records import from_json

SCRIPTS = Path(__file__).with_name("converters")


@dataclass(frozen=True)
class _Said:
    """The table [tool.peer] of a script's header; see `Converter`."""

    title: str
    setting: str
    writes: str
    variants: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Converter:
    """Another tool chain, in one of its settings.

    Attributes:
        script: Is called with a folder, the file to write and the variant. In the folder are
            `network.onnx` and `network.pt2` (an exported program), float32 RGB 0..255 [1, 3, H, W] in, and
            `calibration.npy`, uint8 RGB [n, H, W, 3].
        title, setting: For tables.
        writes: Suffix of its file. Files with a suffix that nothing here runs are run by the script:
            `answer MODEL IMAGES.npy OUTPUTS.npz`.
        variant: Where a script has several.
    """

    script: Path
    title: str
    setting: str
    writes: str
    variant: str = ""

    @property
    def name(self) -> str:
        """Of its files."""
        return "_".join([self.script.stem, *self.variant.split()])

    @property
    def key(self) -> str:
        """Changes when the script does."""
        return f"{self.name}:{sha256_of(self.script)[:12]}"

    def convert(self, source: Path, output: Path) -> None:
        """Make a file.

        Args:
            source: The folder; see `script`.
            output: File to write.

        Raises:
            InputError: the environment cannot be made, or the tool fails; one line says why.
        """
        with replacing(output) as temporary:
            run_script(self.script, str(source.resolve()), str(temporary.resolve()), self.variant)
            if not temporary.stat().st_size:
                raise InputError(f"{self.script.stem}: wrote nothing")


def converters(names: Sequence[str] = ()) -> Iterator[Converter]:
    """All, or those whose script is named so; what a script does, it says in its header.

    Raises:
        InputError: a name is unknown, or a header is not whole.
    """
    known = {path.stem: path for path in sorted(SCRIPTS.glob("*.py"))}
    if unknown := set(names) - set(known):
        raise InputError(f"unknown converter {min(unknown)!r}: expected some of {', '.join(known)}")
    for name in names or known:
        said = from_json(_Said, header(known[name]).get("tool", {}).get("peer", {}), str(known[name]))
        for variant in said.variants:
            setting = ", ".join(part for part in (variant, said.setting) if part)
            yield Converter(known[name], said.title, setting, said.writes, variant)

"""The comparison itself: who makes which files, and the page about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.peers.converters import Converter
from benchmark.peers.measuring import Made, Row, measure
from benchmark.peers.models import PeerModel, peer_models
from benchmark.peers.picture import draw
from benchmark.peers.tables import OURS, compared, converters_table, models_table, problems
from benchmark.peers.workshop import Wanted, Workshop
from calibration_data.image_set import ImageSet
from model.foundation.artifact import write_text
from model.foundation.errors import GateError, InputError
from model.foundation.journal import Journal
from model.foundation.records import write_record

REFERENCE = "featherface_v2"
"""Its float file's time is 1."""


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        models: Name -> row.
        converters: The other tool chains.
        converted: Names of the models that they are given.
        folders: Where weights may be.
        wanted: What all share.
    """

    models: Mapping[str, PeerModel]
    converters: tuple[Converter, ...]
    converted: tuple[str, ...]
    folders: tuple[Path, ...]
    wanted: Wanted

    def rows(self, sets: Sequence[ImageSet], cores: Sequence[str], again: bool) -> list[Row]:
        """Make and measure everything; see `measure`.

        Args:
            sets, cores: See `measure`.
            again: Try what failed once more.

        Raises:
            InputError: the reference cannot be made.
        """
        reference = Workshop(REFERENCE, peer_models([REFERENCE])[REFERENCE], self.folders, self.wanted)
        reference.make_ours()
        made = (one for name in self.models for one in self._made(name, again))
        return measure(made, sets, cores, reference.float32, self.wanted.output)

    def _made(self, name: str, again: bool) -> Iterator[Made]:
        row = self.models[name]
        ours = Made(name, row.title, OURS, row.recipe.removeprefix(f"{row.network}_"))
        try:
            workshop = Workshop(name, row, self.folders, self.wanted)
            workshop.make_ours()
        except (InputError, GateError) as error:
            yield replace(ours, problem=str(error))
            return
        yield replace(ours, file=workshop.quantized, float32=workshop.float32)
        if name in self.converted and not workshop.keeps_graph:
            failures = Journal(workshop.folder / "failures.jsonl", str)
            for converter in self.converters:
                yield self._by(converter, workshop, failures, again)

    def _by(self, converter: Converter, workshop: Workshop, failures: Journal[str], again: bool) -> Made:
        theirs = Made(workshop.name, workshop.row.title, converter.title, converter.setting)
        if converter.key in failures and not again:
            return replace(theirs, problem=failures[converter.key])
        try:
            file, spec = workshop.make(converter)
        except InputError as error:
            failures.add(converter.key, str(error))
            return replace(theirs, problem=str(error))
        script = converter.script if file.suffix not in (".tflite", ".onnx") else None
        return replace(theirs, file=file, spec=spec, float32=workshop.float32, script=script)


def write(output: Path, rows: Sequence[Row]) -> str:
    """Write peers.md, peers.json and the pictures.

    Returns:
        The page.
    """
    parts = ["## Models, quantized by this project", models_table(rows).markdown()]
    for model in compared(rows):
        title = next(row.made.title for row in rows if row.made.model == model)
        parts += [f"## Converters on the weights of {title}", converters_table(rows, model).markdown()]
    parts += [f"- {line}" for line in problems(rows)]
    page = "\n\n".join(parts) + "\n"
    write_text(output / "peers.md", page)
    write_record(output / "peers.json", {"rows": list(rows)})
    for name in dict.fromkeys(name for row in rows for name in row.accuracy):
        for suffix in ("png", "svg"):
            draw(output / f"peers_{name}.{suffix}", rows, name)
    return page

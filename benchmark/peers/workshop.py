"""Where a model's files are made: by this project, and by other converters from the same weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark.peers.converters import Converter
from benchmark.peers.models import ROWS, WEIGHTS, PeerModel, row_of
from benchmark.peers.reading import outputs_of, spec_of_file
from convert.doors import Opened, OpenedFile, open_network
from model.foundation.artifact import replacing, sha256_of
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.foundation.records import write_record
from model.geometry.spec import DetectorSpec
from model.runtime.running import open_model

RECIPES = Path(__file__).parents[2] / "quantize" / "recipes"


@dataclass(frozen=True)
class Wanted:
    """What all models of a comparison share.

    Attributes:
        size: Of their input, where their file leaves the choice: "320".
        calibration: Manifests of photographs, the same for every converter.
        photographs: Folder of others, on which this project's files are held against their origin.
        output: Folder for all files.
    """

    size: str
    calibration: tuple[Path, ...]
    photographs: Path
    output: Path


class Workshop:
    """One model. What was made stays, by weights, size, recipe and photographs.

    Attributes:
        name, row: The model.
        folder: Of its files.
    """

    def __init__(self, name: str, row: PeerModel, folders: Sequence[Path], wanted: Wanted) -> None:
        """
        Args:
            name, row: The model.
            folders: Where its weights may be.
            wanted: See `Wanted`.

        Raises:
            InputError: its weights are nowhere.
        """
        self.name, self.row, self._wanted = name, row, wanted
        self._source = row.found(folders)
        self._recipe = RECIPES / f"{row.recipe}.json"
        ranges = [WEIGHTS / row.ranges] if row.ranges else list(wanted.calibration)
        files = (self._source, self._recipe, *ranges, ROWS / f"{name}.json")
        facts = " ".join([wanted.size, *map(sha256_of, files)])
        self.folder = wanted.output / f"{name}_{hashlib.sha256(facts.encode()).hexdigest()[:8]}"

    @cached_property
    def opened(self) -> Opened | OpenedFile:
        """The network, or the TFLite file whose graph is kept."""
        spec = None if self.row.spec is None else row_of(self.name)
        size = "" if self._source.suffix == ".tflite" else self._wanted.size
        return open_network(self._source, self.row.network, spec, size)

    @property
    def float32(self) -> Path:
        """This project's float file."""
        return self._file("float32")

    @property
    def quantized(self) -> Path:
        """This project's file by the row's recipe."""
        return self._file(self.row.recipe.removeprefix(f"{self.row.network}_"))

    @property
    def keeps_graph(self) -> bool:
        """Whether its weights are a TFLite file, which other converters do not read."""
        return self._source.suffix == ".tflite"

    def make_ours(self) -> None:
        """Make this project's files as `make tflite` does.

        Raises:
            InputError, GateError: the model cannot be used, or a file does not compute what it computes.
        """
        if not self.float32.is_file():
            from convert.conversion import convert

            convert(self.opened, self._wanted.photographs, self.folder)
        if not self.quantized.is_file():
            from quantize.apply.steps import Job, quantize_file

            shipped = WEIGHTS / self.row.ranges if self.row.ranges else None
            calibration = () if shipped else self._wanted.calibration
            files = (self._recipe, self._wanted.photographs, self.quantized)
            quantize_file(Job(self.float32, None, *files, shipped, calibration))

    def make(self, converter: Converter) -> tuple[Path, Path]:
        """Make another converter's file.

        Returns:
            The file, and the spec by which it is read.

        Raises:
            InputError: the converter fails, or its file does not run here or returns other outputs.
        """
        made = self.folder / f"{self.name}_{converter.name}{converter.writes}"
        spec = made.with_suffix(".spec.json")
        if not made.is_file():
            self._prepare()
            with step(f"{made.name}: {converter.title}, {converter.setting}"):
                converter.convert(self._inputs, made)
        if not spec.is_file():
            write_record(spec, self._spec_of(made))
        return made, spec

    @property
    def _inputs(self) -> Path:
        return self.folder / "for_converters"

    def _file(self, precision: str) -> Path:
        return self.folder / f"{self.name}_{self._hw}_{precision}.tflite"

    @cached_property
    def _hw(self) -> str:
        if self.keeps_graph and self.row.spec:
            return "{input_height}x{input_width}".format(**self.row.spec)
        return self._wanted.size if "x" in self._wanted.size else f"{self._wanted.size}x{self._wanted.size}"

    @property
    def _onnx(self) -> Path:
        return self.folder / f"{self.name}_{self._hw}.onnx"

    def _prepare(self) -> None:
        """Write what converters read: see `Converter.script`."""
        import numpy as np
        import torch

        from convert.deployed import Deployed
        from quantize.calibrate.images import CalibrationImages

        pt2, network, images = (
            self._inputs / name for name in ("network.pt2", "network.onnx", "calibration.npy")
        )
        if images.is_file():
            return
        if isinstance(self.opened, OpenedFile):
            raise InputError(f"{self._source.name}: a TFLite file is no input of other converters")
        spec = self.opened.spec
        with step(f"{self.name}: network and photographs for other converters"):
            with replacing(pt2) as temporary, torch.no_grad():
                module = Deployed(self.opened.network, spec, "NCHW")
                example = torch.zeros(1, 3, spec.input_height, spec.input_width)
                torch.export.save(torch.export.export(module, (example,)), str(temporary))
            network.unlink(missing_ok=True)
            os.link(self._onnx, network)
            with replacing(images) as temporary:
                np.save(temporary, np.stack(list(CalibrationImages(self._wanted.calibration, spec))))

    def _spec_of(self, made: Path) -> DetectorSpec:
        import numpy as np

        spec = open_model(self._onnx).spec
        photograph = np.load(self._inputs / "calibration.npy", mmap_mode="r")[0]
        if made.suffix not in (".tflite", ".onnx"):
            return spec  # its script answers in the network's order
        return spec_of_file(spec, outputs_of(self._onnx, photograph), outputs_of(made, photograph))

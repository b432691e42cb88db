"""Flags that several commands share: which images, how a file is opened, how images are fed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.errors import InputError

if TYPE_CHECKING:
    from benchmark.accuracy.wider.ground_truth import WiderImage
    from calibration_data.image_set import ImageSet
    from model.evaluation.protocol import InputProtocol
    from model.foundation.workers import Workers
    from model.geometry.spec import DetectorSpec


def _factors(_: Any, tokens: Any) -> tuple[float, ...]:
    return tuple(float(part) for part in tokens[0].value.split(","))


@Parameter(name="*")
@dataclass(frozen=True)
class SetOptions:
    """Which images of a set are taken.

    Attributes:
        name: None takes the folder's.
        wider_ground_truth: Folder with the four official files.
    """

    name: Annotated[str | None, Parameter(help="name of the set in tables (default: its folder's)")] = None
    skip_absent: Annotated[bool, Parameter(help="leave out labelled images that are not there")] = False
    wider_ground_truth: Annotated[
        Path | None, Parameter(help="folder of WIDER FACE's .mat files: adds easy, medium and hard AP")
    ] = None
    limit: flags.Limit = None
    seed: flags.Seed = 0

    def read(self, images: Path, labels: Path | None, name: str | None = None) -> ImageSet:
        """The images asked for, with their labels if there are any; `name` goes before the flag.

        Raises:
            InputError: the folder or the label file cannot be used, or a limit below 1.
        """
        from calibration_data.image_set import ImageSet

        whole = ImageSet.read(images, labels, name or self.name, self.skip_absent)
        return whole.sample(self.limit, self.seed)

    def wider_truth(self) -> list[WiderImage] | None:
        """The official ground truth, where its folder was given.

        Raises:
            InputError: its files cannot be used.
        """
        from benchmark.accuracy.wider.ground_truth import read_wider_ground_truth

        folder = self.wider_ground_truth
        return None if folder is None else read_wider_ground_truth(folder)


@Parameter(name="*")
@dataclass(frozen=True)
class ModelOptions:
    """What a checkpoint does not say of itself, or what replaces a file's own spec."""

    network: flags.Network | None = None
    size: flags.Size | None = None
    spec: Annotated[Path | None, Parameter(help="detector spec (JSON) for files that carry none")] = None

    def spec_for(self, model: Path) -> DetectorSpec | None:
        """The spec to open a model with; None takes the one that the file carries.

        Raises:
            InputError: a .pth without network and size.
        """
        from model.geometry.spec import parse_size, read_spec
        from model.networks import spec_of

        if self.spec is not None:
            return read_spec(self.spec)
        if model.suffix != ".pth":
            return None
        if self.network is None or self.size is None:
            raise InputError(f"{model}: a checkpoint does not say what it is; give --network and --size")
        return spec_of(self.network, *parse_size(self.size))


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """How images are fed (it moves AP by tens of points: tables state it) and where the work is done."""

    protocol: Annotated[
        Literal["letterbox", "original"],
        Parameter(help="scale each image into the model's size, or keep its pixels (.pth, dynamic .onnx)"),
    ] = "letterbox"
    scales: Annotated[
        tuple[float, ...],
        Parameter(help="with 'original': factors, e.g. 0.5,1,2", converter=_factors, n_tokens=1),
    ] = (1.0,)
    flip: Annotated[bool, Parameter(help="with 'original': also the mirrored image")] = False
    score_floor: Annotated[float | None, Parameter(help="detections below are dropped (default: 0.02)")] = (
        None
    )
    processes: flags.Processes = None
    executor: flags.Executor = None
    cache: Annotated[Path, Parameter(help="folder where finished images are kept")] = Path("build/evaluation")
    no_resume: Annotated[bool, Parameter(help="neither read nor write finished images")] = False
    quiet: flags.Quiet = False

    def workers(self) -> Workers:
        """Who does the work."""
        from model.foundation.workers import Workers, usable_cores

        return Workers(self.processes or usable_cores(), self.executor)

    def input_protocol(self) -> InputProtocol:
        """The input protocol that the flags ask for.

        Raises:
            InputError: they contradict one another.
        """
        from model.evaluation.protocol import InputProtocol

        asked = InputProtocol(self.protocol, self.scales, self.flip)
        return asked if self.score_floor is None else replace(asked, score_floor=self.score_floor)

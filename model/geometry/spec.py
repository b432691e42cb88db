"""DetectorSpec: everything a program needs to feed a detector and read its outputs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from model.foundation.artifact import parse_json, read_json
from model.foundation.errors import InputError

MAX_SIDE = 4096
FACE = "face"
"""The class of a detector that has but one, and of labels that name none."""
SPEC_METADATA = "featherface_spec"
"""Name of the metadata entry that holds the spec inside a TFLite or ONNX file."""


@dataclass(frozen=True)
class DetectorSpec:
    """Geometry and conventions of one detector at one input size.

    A deployed file (ONNX, TFLite) takes RGB pixels in 0..255 and returns boxes [1, N, 4], scores
    [1, N, score_channels] as probabilities and landmarks [1, N, 2 P]; what the rows mean, `decoder` says.
    They are three outputs in the order of `output_names`, or many that are joined: see `boxes_from`.

    Attributes:
        network: Name of the network, e.g. "featherface_v2".
        input_height, input_width: Input size in pixels, multiples of the largest stride.
        channel_order: Order in which the bare PyTorch network expects the channels.
        mean, std: Subtracted from the pixels before the bare PyTorch network, and what they are then
            divided by, in `channel_order`.
        pad_rgb: Colour of the letterbox's border, R, G, B in 0..255.
        strides: Pixels between anchor cells, one per pyramid level.
        anchor_sizes: Side of each square anchor of a cell in pixels, one tuple per level.
        variances: Scale of centre and of size offsets.
        score_channels: Columns of the scores: one a class, the background's or the objectness before them.
        classes: What the columns of the classes mean. Columns of one name are one class, for which the best
            counts; one named "" is nobody's. Empty: every column is a face's.
        output_names: Names of boxes, scores and landmarks in every file.
        decoder: File of model/geometry/decoders, with its variant behind a colon where it has several.
        points: Landmarks of a face; 0 for none.
        boxes_from, scores_from, landmarks_from: The file's outputs whose rows, one below the other, are
            the boxes (scores, landmarks); empty: the output of that name. An output is given as `NAME`,
            `NAME.T` where channels stand before cells ([1, C, N] or [1, C, H, W]), `NAME[4:6]` for some of
            its channels, or both; `sigmoid(NAME)` or `dfl(NAME)` (four distances from their distributions)
            where the file leaves that to whoever reads it; `NAME|NAME` side by side.
        objectness_from: Likewise, for a column that is put before the scores.
        rows: N, where candidates are no cells of levels; for decoders that need none (`boxes`, `own`).
        score_threshold: Default score above which a detection is shown.
        nms_iou: Overlap above which the lower-scored detection is dropped.
        pre_nms_top_k, max_detections: Candidates kept before and detections kept after suppression.
    """

    network: str
    input_height: int
    input_width: int
    channel_order: Literal["RGB", "BGR"] = "BGR"
    mean: tuple[float, float, float] = (104.0, 117.0, 123.0)
    pad_rgb: tuple[int, int, int] = (123, 117, 104)
    strides: tuple[int, ...] = (8, 16, 32)
    anchor_sizes: tuple[tuple[int, ...], ...] = ((16, 32), (64, 128), (256, 512))
    variances: tuple[float, float] = (0.1, 0.2)
    score_channels: int = 2
    output_names: tuple[str, str, str] = ("boxes", "scores", "landmarks")
    decoder: str = "anchor_offsets"
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    points: int = 5
    boxes_from: tuple[str, ...] = ()
    scores_from: tuple[str, ...] = ()
    landmarks_from: tuple[str, ...] = ()
    objectness_from: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    rows: int = 0
    score_threshold: float = 0.5
    nms_iou: float = 0.4
    pre_nms_top_k: int = 5000
    max_detections: int = 750

    def __post_init__(self) -> None:
        step = max(self.strides, default=0)
        for name, side in (("height", self.input_height), ("width", self.input_width)):
            if step < 1 or not 0 < side <= MAX_SIDE or side % step:
                raise InputError(
                    f"input {name} must be a multiple of {step} from {step} to {MAX_SIDE}, found {side}"
                )
        if self.channel_order not in ("RGB", "BGR"):
            raise InputError(f"channel_order must be RGB or BGR, found {self.channel_order!r}")
        if not re.fullmatch(r"[\w.-]+", self.network):
            raise InputError(
                f"a network's name is of letters, digits, '.', '-' and '_': files are called by it; "
                f"found {self.network!r}"
            )
        for name in ("strides", "pre_nms_top_k", "max_detections", "score_threshold", "nms_iou"):
            value = getattr(self, name)
            if min(value if isinstance(value, tuple) else (value,)) < (0 if isinstance(value, float) else 1):
                raise InputError(f"{name} must be above 0, found {value}")
        if len(self.strides) != len(self.anchor_sizes):
            raise InputError(
                f"{len(self.strides)} strides but anchor sizes for {len(self.anchor_sizes)} levels"
            )
        if self.score_channels < 1 or self.points < 0:
            raise InputError(
                "expected 1 or more score_channels and 0 or more points, "
                f"found {self.score_channels} and {self.points}"
            )
        if self.classes and not (any(self.classes) and 0 <= self.score_channels - len(self.classes) <= 1):
            raise InputError(
                f"expected a name in `classes` for each of {self.score_channels} score_channels, or for all "
                f"but the first (background or objectness), found {len(self.classes)}"
            )
        if self.rows < 0 or (self.rows and self.decoder.partition(":")[0] not in ("boxes", "own")):
            raise InputError(f"rows is for the decoders boxes and own, found {self.rows} with {self.decoder}")
        if not all(self.std):
            raise InputError(f"std must not be 0, found {self.std}")
        if len(set(self.output_names)) != 3:
            raise InputError(f"output_names must be three different names, found {self.output_names}")

    @property
    def anchor_count(self) -> int:
        """N, the number of anchors of all levels."""
        return self.rows or sum(
            (self.input_height // stride) * (self.input_width // stride) * len(sizes)
            for stride, sizes in zip(self.strides, self.anchor_sizes, strict=True)
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """K different names: what a detection may be."""
        return tuple(dict.fromkeys(name for name in self.classes if name)) or (FACE,)

    @property
    def output_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """Shapes of boxes, scores and landmarks."""
        n = self.anchor_count
        return (1, n, 4), (1, n, self.score_channels), (1, n, 2 * self.points)

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values; `from_json` reads it back."""
        return dict(json.loads(json.dumps(asdict(self))))

    @classmethod
    def from_json(cls, value: Any) -> DetectorSpec:
        """Build a spec from `to_json`'s value.

        Raises:
            InputError: no object, or a field is missing, unknown, of another type or out of range.
        """
        if not isinstance(value, dict):
            raise InputError(f"a detector spec is a JSON object, found {type(value).__name__}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise InputError(f"unknown field(s) in the detector spec: {', '.join(unknown)}")
        if missing := sorted({"network", "input_height", "input_width"} - set(value)):
            raise InputError(f"missing field(s) in the detector spec: {', '.join(missing)}")
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"the detector spec: {error}") from None

    @classmethod
    def from_text(cls, text: str) -> DetectorSpec:
        """Build a spec from the JSON text that a model file holds.

        Raises:
            InputError: it is no JSON, or as `from_json`.
        """
        try:
            return cls.from_json(parse_json(text))
        except ValueError as error:
            raise InputError(f"the detector spec inside the file is not JSON ({error})") from None


def parse_size(text: str) -> tuple[int, int]:
    """Read "320" (square) or "480x640" (height x width) into (height, width) in pixels.

    Raises:
        InputError: the text is not a size; multiples of the stride are checked by DetectorSpec.
    """
    parts = text.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isascii() and part.isdigit() for part in parts):
        raise InputError(f"a size is one number or HEIGHTxWIDTH (e.g. 320 or 480x640), found {text!r}")
    return int(parts[0]), int(parts[-1])


def read_spec(path: Path) -> DetectorSpec:
    """Read a detector spec: its own JSON, or the record that lies beside a file and holds one.

    Raises:
        InputError: absent, no JSON, or no spec.
    """
    value = read_json(path)
    return DetectorSpec.from_json(value.get("spec", value))

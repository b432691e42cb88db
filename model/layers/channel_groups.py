"""Which channels of a network must be scaled together, and which layers make and read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reader:
    """A layer that reads a group's channels, as its input channels `start` to `start + channels`."""

    layer: str
    start: int = 0


@dataclass(frozen=True)
class Group:
    """Channels that must be scaled together.

    Attributes:
        channels: How many.
        makers: Names of convolutions (and of their batch norms, or "") whose outputs they are.
        readers: Layers that read them.
        slope: Of the activation behind the makers for negative values: 0 for a ReLU, 1 for none.
    """

    channels: int
    makers: tuple[tuple[str, str], ...]
    readers: tuple[Reader, ...]
    slope: float = 0.0


_STAGES = (
    (1, ((8, 16), (16, 32), (32, 32), (32, 64), (64, 64))),
    (2, ((64, 128), *[(128, 128)] * 5)),
    (3, ((128, 256), (256, 256))),
)


def mobilenet_groups(slope: float) -> list[Group]:
    """Within the stages of V1's and RetinaFace's backbone; what leaves a stage goes through sigmoid gates."""
    groups = []
    for stage, blocks in _STAGES:
        before: tuple[str, str] | None = None
        if stage == 1:
            before = ("body.stage1.0.0", "body.stage1.0.1")
        for number, (inputs, _outputs) in enumerate(blocks):
            block = f"body.stage{stage}.{number + (stage == 1)}"
            if before is not None:
                groups.append(Group(inputs, (before,), (Reader(f"{block}.0"),), slope))
            groups.append(Group(inputs, ((f"{block}.0", f"{block}.1"),), (Reader(f"{block}.3"),), slope))
            before = (f"{block}.3", f"{block}.4")
    return groups

"""What a teacher finds in whole photographs, and what that and the marks say about the faces in them.

The teacher looks at a photograph at several sizes, larger than a student will see it; what two looks
agree on is sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.foundation.artifact import replacing
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.geometry.boxes import Detections, iou_matrix, nms
from model.training.captured import Captured
from model.training.samples.album import Album, Faces
from model.training.samples.views import Plan, render
from model.training.teacher.scrfd import Scrfd, corners

SIDES = (640, 1280)
"""Sizes that photographs are fitted into for the teacher; marked ones into the first alone."""
FLOOR = 0.1
"""Detections under this score are forgotten."""
SAME, RIVAL = 0.45, 0.25
"""Detections of several looks that overlap more than the first are one face; one that overlaps a better
one more than the second is none."""
MOST = 400
"""Faces of one look at most."""
OUTSIDE = 0.35
"""A detection that overlaps no mark by so much is of an unmarked face."""
FACE, PERHAPS = 0.4, 0.2
"""Unmarked: a face (as sure as the teacher is) from the first score on, possibly one from the second on."""

Floats = NDArray[np.float32]


@torch.no_grad()
def look(
    teacher: Scrfd, album: Album, choice: NDArray[np.int64], sides: Sequence[int], at_once: int = 1
) -> Iterator[list[Detections]]:
    """All that a teacher sees in photographs: for each a list of looks, one a size.

    Args:
        teacher: On any device.
        album: The photographs.
        choice: Numbers of those to look at.
        sides: Sizes that they are fitted into, in pixels.
        at_once: How many it looks at side by side.
    """
    ask, device = Captured(teacher), next(teacher.parameters()).device
    for first in range(0, len(choice), at_once):
        # Always as many, the last one several times: one shape, one graph.
        numbers = choice[np.minimum(np.arange(first, first + at_once), len(choice) - 1)]
        looks: list[list[Detections]] = [[] for _ in numbers]
        for side in sides:
            place = corners(side, side).to(device)
            plan = _whole(album, numbers, side)
            views = torch.from_numpy(render(plan, album, side)).to(device)
            answers = ask(views.permute(0, 3, 1, 2).float())
            for index, one in enumerate(_candidates(answers, place)):
                factor = np.float32(1 / plan.scale[index, 0, 0])
                looks[index].append(Detections(one.boxes_xyxy * factor, one.scores, one.landmarks * factor))
        yield from looks[: len(choice) - first]


def _whole(album: Album, numbers: NDArray[np.int64], side: int) -> Plan:
    """Whole photographs in the corner of a black square."""
    fit = side / album.size[numbers].max(axis=1).astype(float)
    scale = np.repeat(fit, 8).reshape(-1, 4, 2)
    yes = np.ones(len(numbers), bool)
    meet = np.full((len(numbers), 2), side // 2)
    return Plan(np.repeat(numbers[:, None], 4, axis=1), scale, np.zeros_like(scale), meet, ~yes, yes)


def _candidates(
    answers: tuple[torch.Tensor, torch.Tensor, torch.Tensor], place: torch.Tensor
) -> Iterator[Detections]:
    """What is above the floor in each view, in its pixels."""
    logits, distances, points = (answer.float() for answer in answers)
    scores = torch.sigmoid(logits)
    view, kept = torch.nonzero(scores > FLOOR, as_tuple=True)
    at, far = place[kept], distances[view, kept]
    boxes = torch.cat([at - far[:, :2], at + far[:, 2:]], dim=1)
    marks = at.repeat(1, 5) + points[view, kept]
    joined = torch.cat([boxes, scores[view, kept][:, None], marks], dim=1).cpu().numpy()
    ends = np.cumsum(np.bincount(view.cpu().numpy(), minlength=len(logits)))
    for part in np.split(joined, ends[:-1]):
        yield Detections(part[:, :4], part[:, 4], part[:, 5:].reshape(-1, 5, 2))


def merged(looks: Sequence[Detections]) -> Detections:
    """One answer from several: faces are groups of overlapping boxes, averaged by their scores.

    A face's score is the mean of the two looks that are surest of it.
    """
    looks = [_best_of(one) for one in looks]
    boxes, scores, points = (
        np.concatenate([getattr(one, name) for one in looks])
        for name in ("boxes_xyxy", "scores", "landmarks")
    )
    origin = np.repeat(np.arange(len(looks)), [len(one) for one in looks])
    left = np.argsort(-scores, kind="stable")
    faces = []
    while len(left):
        same = iou_matrix(boxes[left[:1]], boxes[left])[0] > SAME
        same[0] = True
        members, left = left[same], left[~same]
        best = np.sort(
            [scores[members[origin[members] == one]].max(initial=0.0) for one in range(len(looks))]
        )
        weight = scores[members] ** 2 / (scores[members] ** 2).sum()
        average = (boxes[members] * weight[:, None]).sum(axis=0)
        faces.append((average, best[-2:].mean(), (points[members] * weight[:, None, None]).sum(axis=0)))
    if not faces:
        return Detections(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        )
    joined = [np.array(part, np.float32) for part in zip(*faces, strict=True)]
    found = Detections(joined[0], joined[1], joined[2])
    return found[nms(found.boxes_xyxy, found.scores, RIVAL, len(faces))]


def _best_of(found: Detections) -> Detections:
    """One look's answer, without what it said about the same face twice."""
    return found[nms(found.boxes_xyxy, found.scores, SAME, MOST)]


def settle(
    boxes_xyxy: Floats, points: Floats, ignore: NDArray[np.bool_], labelled: bool, found: Detections | None
) -> Faces:
    """The faces of a photograph: marks first, then what the teacher found beside them.

    Args:
        boxes_xyxy, points, ignore: The marks: [K, 4], [K, 5, 2] (NaN where there is none), [K].
        labelled: Whether somebody marked faces here. What the teacher found and they did not is then
            neither face nor background.
        found: The teacher's answer; None without a teacher.
    """
    points = points.copy()
    sure = np.where(ignore, 0, 1).astype(np.float32)
    if found is None or not len(found):
        return Faces(boxes_xyxy.astype(np.float32), sure, points.astype(np.float32))
    shared = iou_matrix(boxes_xyxy, found.boxes_xyxy)
    for index in np.flatnonzero(
        ~np.isfinite(points).all(axis=(1, 2)) & (shared.max(axis=1, initial=0) > SAME)
    ):
        points[index] = found.landmarks[shared[index].argmax()]
    new = (shared.max(axis=0, initial=0) < OUTSIDE) & (found.scores >= (FACE if labelled else PERHAPS))
    extra = np.where((found.scores >= FACE) & (not labelled), found.scores, 0)[new]
    return Faces(
        np.concatenate([boxes_xyxy, found.boxes_xyxy[new]]).astype(np.float32),
        np.concatenate([sure, extra]).astype(np.float32),
        np.concatenate([points, found.landmarks[new]]).astype(np.float32),
    )


def save_answers(path: Path, keys: Sequence[str], found: Sequence[Detections]) -> None:
    """Write a teacher's answers for photographs named by `keys`."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            keys=np.array(keys),
            counts=np.array([len(one) for one in found]),
            boxes=np.concatenate([one.boxes_xyxy for one in found]),
            scores=np.concatenate([one.scores for one in found]),
            points=np.concatenate([one.landmarks for one in found]),
        )


def load_answers(path: Path) -> dict[str, Detections]:
    """Read what `save_answers` wrote, by key.

    Raises:
        InputError: absent, or another kind of file.
    """
    if not path.is_file():
        raise InputError(f"no teacher's answers at {path}: run 'python -m model teach' first")
    with damage_is_said(f"{path} holds no teacher's answers"), np.load(path) as file:
        ends = np.cumsum(file["counts"])[:-1]
        whole = tuple(file[name].astype(np.float32) for name in ("boxes", "scores", "points"))
        shapes = [(len(whole[0]), 4), (len(whole[0]),), (len(whole[0]), 5, 2)]
        if [one.shape for one in whole] != shapes or not all(np.isfinite(one).all() for one in whole):
            raise ValueError("no faces")
        parts = (np.split(one, ends) for one in whole)
        return {str(key): Detections(*each) for key, *each in zip(file["keys"], *parts, strict=True)}

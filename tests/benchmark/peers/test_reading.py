"""Which output of another tool's file is which."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.peers.reading import outputs_of, spec_of_file
from model.foundation.errors import InputError
from model.geometry.outputs import joined
from model.geometry.spec import DetectorSpec
from tests.conftest import Converted

OURS = DetectorSpec("ours", 64, 96)
FOREIGN = DetectorSpec(
    "foreign", 64, 96, strides=(8, 16), anchor_sizes=((8,), (16,)),
    boxes_from=("box8", "box16"), scores_from=("cls8", "cls16"), landmarks_from=("kps8", "kps16"),
    objectness_from=("obj8", "obj16"),
)  # fmt: skip
YOLO = DetectorSpec(
    "yolo", 64, 96, strides=(8,), anchor_sizes=((8,),), score_channels=1, points=0,
    boxes_from=("y.T[0:4]",), scores_from=("sigmoid(y.T[4:5])",),
)  # fmt: skip


def _outputs(spec: DetectorSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if spec is OURS:
        return {
            name: rng.random(shape, np.float32)
            for name, shape in zip(spec.output_names, spec.output_shapes, strict=True)
        }
    if spec is YOLO:
        return {"y": rng.random((1, 5, 96), np.float32)}
    sides = {"8": 96, "16": 24}
    channels = {"box": 4, "cls": 1, "kps": 10, "obj": 1}
    return {
        f"{role}{level}": rng.random((1, cells, width), np.float32)
        for role, width in channels.items()
        for level, cells in sides.items()
    }


@pytest.mark.parametrize("spec", [OURS, FOREIGN, YOLO], ids=lambda one: one.network)
@pytest.mark.parametrize("turned", [False, True])
def test_outputs_are_found_under_other_names_in_another_order(
    spec: DetectorSpec, turned: bool, rng: np.random.Generator
) -> None:
    network = _outputs(spec, rng)
    file = {
        f"Identity_{place}:0": (values.swapaxes(1, 2) if turned else values) + np.float32(0.01)
        for place, values in enumerate(reversed(network.values()))
    }
    found = spec_of_file(spec, network, file)
    for one, other in zip(joined(network, spec), joined(file, found), strict=True):
        np.testing.assert_allclose(other, one, atol=0.011)
    assert (found.mean, found.std, found.channel_order) == ((0, 0, 0), (1, 1, 1), "RGB")


def test_a_file_without_such_an_output_is_refused(rng: np.random.Generator) -> None:
    network = _outputs(OURS, rng)
    with pytest.raises(InputError, match=r"no output like landmarks .*: found boxes"):
        spec_of_file(OURS, network, {name: network[name] for name in ("boxes", "scores")})


@pytest.mark.slow
def test_two_kinds_of_file_of_one_network_are_read_alike(converted: Converted) -> None:
    photograph = converted.photographs[0]
    network, file = (outputs_of(path, photograph) for path in (converted.onnx, converted.float32))
    found = spec_of_file(converted.spec, network, file)
    assert (found.boxes_from, found.scores_from, found.landmarks_from) == (
        ("boxes",),
        ("scores",),
        ("landmarks",),
    )

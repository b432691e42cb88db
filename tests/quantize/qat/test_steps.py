"""What was trained arrives in the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.photographs import parity_inputs
from model.checkpoint import load_checkpoint
from model.foundation.artifact import Artifact, sha256_of, write_json
from model.foundation.errors import InputError
from model.runtime.running import TorchModel, open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.meter import measure_ranges
from quantize.calibrate.ranges import SizeRanges, checkpoint_hash, write_ranges
from quantize.qat.faithfulness import measure_agreement, require_agreement
from quantize.qat.into_file import write_constants
from quantize.qat.into_network import save_weights, with_constants
from quantize.qat.plan import Plan, Schedule
from quantize.qat.steps import refuse_trained, require_way_back, run_training
from quantize.qat.trainee import Trainee, train
from tests.conftest import EMBEDDED, Converted
from tests.quantize.qat.conftest import INT8, FixedLessons, Integers

HEIGHT = 96


def test_what_was_trained_arrives_in_the_integer_file(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    """Through the float file and the quantizer, to the last bit; and in the checkpoint beside it."""
    schedule = Schedule(steps=3, warm_up=1, rate=2e-3, scale_rate=2e-2)
    trainee = Trainee({HEIGHT: integers.mirror()}, schedule)
    train(trainee, FixedLessons(converted), tmp_path)
    mirror = trainee.mirrors[HEIGHT]
    float32, file = (tmp_path / name for name in ("a.tflite", "int8.tflite"))
    write_constants(converted.float32, mirror.weights.arrays(), float32)
    apply_recipe(integers.recipe, float32, mirror.scales.bounds(), file)
    agreement = measure_agreement(mirror, file, converted.photographs)
    require_agreement(agreement, "the file")
    assert all(output.equal == 1 for output in agreement.outputs.values())

    network = load_checkpoint(EMBEDDED, "featherface_v2").network
    checkpoint = tmp_path / "trained.pth"
    save_weights(with_constants(network, converted.spec, mirror.weights.arrays()), checkpoint)
    trained = TorchModel(load_checkpoint(checkpoint, "featherface_v2").network, converted.spec)
    made, before = open_model(float32), open_model(converted.float32)
    for image in converted.photographs[:2]:
        for one, other, old in zip(trained(image), made(image), before(image), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
            assert np.abs(one - old).max() > 1e-2  # it was trained


def test_a_foreign_file_is_trained_from_photographs_alone(
    foreign: Path, demo_set: Path, tmp_path: Path
) -> None:
    """Any float file: no network, no labels; several outputs of each role; and the proof stands."""
    ranges, folder, output = tmp_path / "ranges.json", tmp_path / "photographs", tmp_path / "output"
    folder.mkdir()
    for picture in sorted((demo_set / "calibration" / "images").iterdir())[:12]:
        shutil.copy(picture, folder)
    spec = open_model(foreign).spec
    measured = measure_ranges(foreign, parity_inputs(folder, spec, 4))
    size = SizeRanges.of(measured, {})
    write_ranges(ranges, checkpoint_hash(foreign, None), {f"{spec.input_height}x{spec.input_width}": size})
    plan = Plan(model=[foreign], ranges=ranges, recipe=INT8, data=[folder], photographs=folder, output=output)
    ((file, agreement),) = run_training(plan, Schedule(steps=4, pictures=4, rate=1e-2, warm_up=1))
    assert agreement.other_scales == ()
    assert {name: one.equal for name, one in agreement.outputs.items()} == {"boxes": 1.0, "scores": 1.0}
    trained = Artifact.load(file.with_name("small_32x32_float32_qat.tflite")).record
    assert trained["made_from"]["float32"]["sha256"] == sha256_of(foreign)
    assert trained["parity"]["float32"]["outputs"]["scores"]["max_error"] > 0
    assert Artifact.load(file).record["agreement"]["photographs"] > 0
    with pytest.raises(InputError, match=rf"fake quantization already; start from the float {foreign.name}"):
        refuse_trained(file.with_name("small_32x32_float32_qat.tflite"))


def test_weights_without_a_way_back_are_refused_before_training(
    integers: Integers, converted: Converted
) -> None:
    network = load_checkpoint(EMBEDDED, "featherface_v2").network
    weights = integers.mirror().weights
    require_way_back(network, converted.spec, weights)
    network.get_parameter("heads.boxes.bias").data.add_(1)  # another network than the file is of
    with pytest.raises(InputError, match="no way back"):
        require_way_back(network, converted.spec, weights)


def test_a_trained_checkpoint_is_no_start(tmp_path: Path) -> None:
    checkpoint = tmp_path / "some_qat.pth"
    write_json(
        checkpoint.with_name("some_qat.pth.json"),
        {"fake_quantization": {}, "made_from": {"checkpoint": {"file": "some.pth"}}},
    )
    with pytest.raises(InputError, match=r"with fake quantization already; .* some.pth"):
        refuse_trained(checkpoint)
    refuse_trained(EMBEDDED)

"""What was trained arrives in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.onnx_file.export import export_onnx
from convert.tflite.export import export_tflite
from model.checkpoint import load_checkpoint
from model.foundation.artifact import write_json
from model.foundation.errors import GateError, InputError
from quantize.apply.quantizer import apply_recipe
from quantize.qat.faithfulness import measure_agreement, require_agreement
from quantize.qat.plan import Schedule
from quantize.qat.steps import refuse_trained, require_way_back, settle_weights
from quantize.qat.trainee import Trainee, train
from quantize.qat.write_back import save_weights, with_constants
from tests.conftest import EMBEDDED, Converted
from tests.quantize.qat.conftest import FixedLessons, Integers

HEIGHT = 96


def test_what_was_trained_arrives_in_the_integer_file(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    """Through the checkpoint, the converter and the quantizer, to the last bit."""
    schedule = Schedule(steps=3, warm_up=1, rate=2e-3, scale_rate=2e-2)
    trainee = Trainee({HEIGHT: integers.mirror()}, schedule)
    train(trainee, FixedLessons(converted), tmp_path)
    mirror = trainee.mirrors[HEIGHT]
    network = load_checkpoint(EMBEDDED, "featherface_v2").network
    checkpoint = tmp_path / "trained.pth"
    save_weights(with_constants(network, converted.spec, mirror.weights.arrays()), checkpoint)
    trained = load_checkpoint(checkpoint, "featherface_v2").network
    onnx, float32, file = (tmp_path / name for name in ("a.onnx", "a.tflite", "int8.tflite"))
    photographs = converted.photographs[:2]
    export_onnx(trained, converted.spec, checkpoint, onnx, photographs)
    export_tflite(trained, converted.spec, {"checkpoint": checkpoint, "onnx": onnx}, float32, photographs)
    settle_weights(mirror, float32)
    apply_recipe(integers.recipe, float32, mirror.scales.bounds(), file)
    agreement = measure_agreement(mirror, file, converted.photographs)
    require_agreement(agreement, "the file")
    assert all(output.equal == 1 for output in agreement.outputs.values())
    with pytest.raises(GateError, match="is not what was trained"):
        settle_weights(mirror, converted.float32)


def test_a_last_bit_that_the_checkpoint_rounds_is_the_files(integers: Integers, converted: Converted) -> None:
    mirror = integers.mirror()
    stored = mirror.weights.arrays()
    mirror.weights.take({name: value * np.float32(1 + 2**-23) for name, value in stored.items()})
    settle_weights(mirror, converted.float32)
    for name, value in mirror.weights.arrays().items():
        np.testing.assert_array_equal(value, stored[name], err_msg=name)


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

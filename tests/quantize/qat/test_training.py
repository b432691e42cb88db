"""Training, going on, stopping, and arriving in the file."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from convert.deployed import fold_batch_norms
from convert.onnx_file.export import export_onnx
from convert.tflite.export import export_tflite
from convert.tflite.naming import weighted_layers
from model.checkpoint import load_checkpoint
from model.foundation.artifact import write_json
from model.foundation.errors import GateError, InputError
from model.layers.blocks import Detector
from model.networks import NETWORKS, spec_of
from model.runtime.running import TorchModel
from model.training.batches import FreshViews
from model.training.photographs import read_photographs
from model.training.teacher import Teacher
from quantize.__main__ import main
from quantize.apply.quantizer import apply_recipe
from quantize.qat.faithfulness import measure_agreement, require_agreement
from quantize.qat.loop import LOG, STATE, train
from quantize.qat.schedule import Schedule
from quantize.qat.steps import refuse_trained, require_way_back, settle_weights
from quantize.qat.store import save_weights, with_constants, without_place
from quantize.qat.trainee import Trainee
from tests.conftest import EMBEDDED, ROOT, Converted
from tests.quantize.qat.conftest import INT8, FixedDraws, Integers

HEIGHT = 96


def _trainee(integers: Integers, **changes: float) -> Trainee:
    schedule = Schedule(**{"steps": 4, "epoch_steps": 2, "warm_up": 1, **changes})  # type: ignore[arg-type]
    return Trainee({HEIGHT: integers.mirror()}, schedule)


def test_the_loss_falls(integers: Integers, converted: Converted) -> None:
    trainee = _trainee(integers, steps=20, rate=2e-3)
    batch = FixedDraws(converted).drawn(np.random.default_rng(0), HEIGHT, 2)
    before = trainee.step(batch).total((2, 1, 0.5))
    for _ in range(11):
        trainee.step(batch)
    assert trainee.step(batch).total((2, 1, 0.5)) < 0.8 * before


def test_ranges_learn_and_then_freeze(integers: Integers, converted: Converted) -> None:
    trainee = _trainee(integers, freeze=0.5)
    mirror, source = trainee.mirrors[HEIGHT], FixedDraws(converted)
    start = mirror.scales.bounds()
    for number in range(4):
        trainee.step(source.drawn(np.random.default_rng(number), HEIGHT, 2))
        if number == 1:
            half_way = mirror.scales.bounds()
    assert start == integers.bounds
    assert sum(start[name] != half_way[name] for name in start) > 100
    assert mirror.scales.bounds() == half_way
    assert half_way["image"] == (0, 255)


def test_a_resumed_training_ends_where_an_unbroken_one_does(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    unbroken = _trainee(integers)
    train(unbroken, FixedDraws(converted), tmp_path / "unbroken")
    killed = _trainee(integers)
    with pytest.raises(KeyboardInterrupt):
        train(killed, _Killed(converted), tmp_path / "killed")
    resumed = _trainee(integers)
    resumed.restore(tmp_path / "killed" / STATE)
    assert resumed.steps == 2
    train(resumed, FixedDraws(converted), tmp_path / "killed")
    for name, value in unbroken.weights.arrays().items():
        np.testing.assert_array_equal(resumed.weights.arrays()[name], value)
    assert resumed.mirrors[HEIGHT].scales.bounds() == unbroken.mirrors[HEIGHT].scales.bounds()
    log = [json.loads(line) for line in (tmp_path / "killed" / LOG).read_text().splitlines()]
    assert [entry["step"] for entry in log] == [2, 4]


class _Killed(FixedDraws):
    """Ends the training in the middle of its second epoch."""

    def drawn(self, draw, side, count):  # type: ignore[no-untyped-def]
        if self.asked == 3:
            raise KeyboardInterrupt
        return super().drawn(draw, side, count)


def test_a_state_of_another_schedule_is_refused(integers: Integers, tmp_path: Path) -> None:
    trainee = _trainee(integers)
    trainee.save(tmp_path / STATE)
    with pytest.raises(InputError, match="another schedule"):
        _trainee(integers, steps=5).restore(tmp_path / STATE)
    (tmp_path / STATE).write_bytes(b"no state")
    with pytest.raises(InputError, match="no state of this training"):
        trainee.restore(tmp_path / STATE)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_epoch(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    trainee = _trainee(integers)
    with pytest.raises(InputError, match=r"diverged at step 3: loss nan"):
        train(trainee, FixedDraws(converted, poison=3), tmp_path)
    resumed = _trainee(integers)
    resumed.restore(tmp_path / STATE)
    assert resumed.steps == 2
    assert all(np.isfinite(value).all() for value in resumed.weights.arrays().values())


def test_what_was_trained_arrives_in_the_integer_file(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    """Through the checkpoint, the converter and the quantizer, to the last bit."""
    trainee = _trainee(integers, steps=3, rate=2e-3, scale_rate=2e-2)
    train(trainee, FixedDraws(converted), tmp_path)
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


def test_constants_fold_back_without_rounding(integers: Integers, converted: Converted) -> None:
    constants = {name: value * np.float32(1.1) for name, value in integers.mirror().weights.arrays().items()}
    network = load_checkpoint(EMBEDDED, "featherface_v2").network
    folded = dict(fold_batch_norms(with_constants(network, converted.spec, constants)).named_parameters())
    weight = constants["backbone/stage1/2/pointwise/weight"]
    bias = constants["backbone/stage1/2/pointwise/bias"]
    found = folded["backbone.stage1.2.pointwise.conv.weight"].detach().permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(found, weight)
    np.testing.assert_array_equal(folded["backbone.stage1.2.pointwise.conv.bias"].detach().numpy(), bias)
    with pytest.raises(ValueError, match="nowhere is no convolution"):
        with_constants(network, converted.spec, {"nowhere/weight": weight, "nowhere/bias": bias})


def _as_in_a_file(network: Detector) -> dict[str, np.ndarray]:
    """Folded weights and biases of V1's plain convolutions by their names in a TFLite file."""
    folded = fold_batch_norms(network)
    constants = {f"{name}/weight": np.array(weight) for name, weight in weighted_layers(folded)}
    for path, layer in folded.named_modules():
        name = f"{path.replace('.', '/')}/bias"
        if isinstance(layer, torch.nn.Conv2d) and layer.bias is not None:
            constants[name] = layer.bias.detach().numpy().copy()
    first = "body/stage1/0/0/weight"
    constants[first] = constants[first][..., ::-1].copy()  # files read RGB
    return {name: value for name, value in constants.items() if not re.match("ssh[123]/|.*mlp", name)}


def test_v1_has_a_way_back(rng: np.random.Generator) -> None:
    """Wrapped convolutions, a channel shuffle, and fusion weights that the converter multiplied into them."""
    network, spec = NETWORKS["featherface_v1"].build().eval(), spec_of("featherface_v1", 64, 64)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.get_buffer("running_mean"), -0.2, 0.2)
            torch.nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    before = _as_in_a_file(network)
    projection = "bifpn/0/p4_down_channel/0/conv"
    before |= {
        f"{projection}/{role}": before[f"{projection}/{role}"] * np.float32(0.3)
        for role in ("weight", "bias")
    }
    picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    wanted = TorchModel(network, spec)(picture)
    for found, value in zip(
        TorchModel(with_constants(network, spec, before, before), spec)(picture), wanted, strict=True
    ):
        np.testing.assert_allclose(found, value, atol=1e-4)
    trained = {name: value * np.float32(1.1) for name, value in before.items()}
    again = _as_in_a_file(with_constants(network, spec, trained, before))
    for name, value in trained.items():
        factor = 0.3 if name.startswith(projection) else 1
        np.testing.assert_allclose(again[name] * np.float32(factor), value, rtol=1e-6)
    with pytest.raises(ValueError, match=f"{projection} in the file is no multiple"):
        before[f"{projection}/weight"][0] *= 2
        with_constants(network, spec, trained, before)


def test_biases_that_the_network_cannot_hold_stay_zero() -> None:
    network = NETWORKS["featherface_v1"].build()
    names = (
        "bifpn/0/conv4_up/depthwise_conv/conv/bias",
        "bifpn/0/conv4_up/pointwise_conv/conv/bias",
        "body/stage1/0/0/bias",
    )
    assert without_place(network, names) == {names[0]}


def test_weights_without_a_way_back_are_refused_before_training(
    integers: Integers, converted: Converted
) -> None:
    network = load_checkpoint(EMBEDDED, "featherface_v2").network
    weights = integers.mirror().weights
    require_way_back(network, converted.spec, weights)
    network.get_parameter("heads.boxes.bias").data.add_(1)  # another network than the file is of
    with pytest.raises(InputError, match="no way back"):
        require_way_back(network, converted.spec, weights)


def test_distillation_needs_no_labels(converted: Converted, demo_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unlabelled"
    shutil.copytree(demo_set / "calibration" / "images", folder)
    photographs = read_photographs([folder])
    assert not any(photograph.labelled for photograph in photographs)
    source = FreshViews(photographs, 0, 2, Teacher.load(EMBEDDED, "featherface_v2"))
    batch = source.drawn(np.random.default_rng(3), 320, 2)
    assert batch.pixels.shape == (2, 320, 320, 3)
    assert float(batch.face.max()) > 0.3  # the teacher's answers are what is learned
    again = source.drawn(np.random.default_rng(3), 320, 2)
    assert torch.equal(batch.face, again.face)


def test_a_trained_checkpoint_is_no_start(tmp_path: Path) -> None:
    checkpoint = tmp_path / "some_qat.pth"
    write_json(
        checkpoint.with_name("some_qat.pth.json"),
        {"fake_quantization": {}, "made_from": {"checkpoint": {"file": "some.pth"}}},
    )
    with pytest.raises(InputError, match=r"with fake quantization already; .* some.pth"):
        refuse_trained(checkpoint)
    refuse_trained(EMBEDDED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--data": "nowhere"}, "no such folder of photographs"),
        ({"--data": "images_dev"}, "evaluation set"),
        ({"--data": ""}, "no image in"),
        ({"--data": "demo"}, "takes 96x128: training needs square inputs"),
        ({"--threads": "0"}, "--threads must be at least 1"),
        ({"--steps": "0"}, "steps must be at least 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    changes: dict[str, str],
    message: str,
    demo_set: Path,
    converted: Converted,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import re

    (tmp_path / "images_dev").mkdir()
    (tmp_path / "empty").mkdir()
    places = {"demo": str(demo_set / "calibration" / "images"), "": str(tmp_path / "empty")}
    options = {
        "--model": str(converted.float32),
        "--checkpoint": str(EMBEDDED),
        "--ranges": str(ROOT / "model" / "weights" / "featherface_v2_ranges.json"),
        "--recipe": str(INT8),
        "--data": str(tmp_path),
        "--photographs": str(tmp_path),
        "--output": str(tmp_path / "output"),
    }
    for name, value in changes.items():
        options[name] = places.get(
            value, value if name in ("--threads", "--steps") else str(tmp_path / value)
        )
    assert main(["qat", *(part for pair in options.items() for part in pair)]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    assert re.search(message, error)

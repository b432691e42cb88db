"""The mirror is the integer file: bit by bit, and the gate notices when it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from convert.difference import measure_difference
from model.foundation.errors import GateError, InputError
from model.runtime.running import Answers, open_model
from quantize.apply.quantizer import apply_recipe
from quantize.qat.faithfulness import measure_agreement, require_agreement
from quantize.qat.integers import Requantize, add, requantize
from quantize.qat.mirror import Mirror, Weights
from quantize.qat.placement import find_placement, scale_of, zero_point_of
from quantize.qat.qdq import export_qdq, supports
from quantize.qat.same_faces import require_same_faces
from quantize.qat.scales import Scales
from quantize.qat.scoring import runs_of
from quantize.recipe import LayerRule
from tests.conftest import Converted
from tests.quantize.qat.conftest import Integers


def test_every_bit_of_the_file_is_the_mirrors(integers: Integers, converted: Converted) -> None:
    agreement = measure_agreement(integers.mirror(), integers.file, converted.photographs)
    require_agreement(agreement, "the file")
    assert agreement.anchors > 0
    assert agreement.activations > 100
    assert agreement.other_scales == ()
    assert agreement.first_differences == {}
    assert {name: output.equal for name, output in agreement.outputs.items()} == {
        "boxes": 1.0,
        "scores": 1.0,
        "landmarks": 1.0,
    }


def test_the_gate_notices_a_wrong_rounding(
    integers: Integers, converted: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def downwards(ctx: Any, total: Tensor, multiplier: Tensor, low: float, high: float) -> Tensor:
        return (total * multiplier).floor().clamp(low, high)

    monkeypatch.setattr(Requantize, "forward", staticmethod(downwards))
    agreement = measure_agreement(integers.mirror(), integers.file, converted.photographs)
    assert agreement.first_differences  # it says where
    with pytest.raises(GateError, match=r"dB only .* differences begin at backbone/stem"):
        require_agreement(agreement, "the file")


def test_the_gate_notices_a_lost_range(integers: Integers, converted: Converted, tmp_path: Path) -> None:
    low, high = integers.bounds["backbone/stage2/3/pointwise"]
    lost = {**integers.bounds, "backbone/stage2/3/pointwise": (low, high * 1.05)}
    file = tmp_path / "lost.tflite"
    apply_recipe(integers.recipe, converted.float32, lost, file)
    agreement = measure_agreement(integers.mirror(), file, converted.photographs)
    assert agreement.other_scales == ("backbone/stage2/3/pointwise",)
    with pytest.raises(GateError, match="1 of .* scales or zero points are not those that were trained"):
        require_agreement(agreement, "the file")


def test_the_gate_notices_a_mis_mapped_layer(integers: Integers, converted: Converted) -> None:
    first, second = "backbone/stage2/2/pointwise/weight", "backbone/stage2/3/pointwise/weight"
    swapped = {first: second, second: first}
    names = {index: swapped.get(name, name) for index, name in integers.placement.weights.items()}
    placement = replace(integers.placement, weights=names)
    mirror = Mirror(placement, Weights.of(placement), Scales(placement, integers.bounds))
    agreement = measure_agreement(mirror, integers.file, converted.photographs)
    with pytest.raises(GateError, match=r"dB only .* differences begin at backbone/stage2/2/pointwise"):
        require_agreement(agreement, "the file")


def test_a_difference_is_named_where_it_begins_and_not_after_every_conversion(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    floats = "backbone/stage1/2/|backbone/stage2/4/"
    recipe = replace(integers.recipe, layers=(*integers.recipe.layers, LayerRule(floats, "float16")))
    placement = find_placement(converted.float32, recipe)
    file = tmp_path / "mixed.tflite"
    apply_recipe(recipe, converted.float32, integers.bounds, file)
    mirror = Mirror(placement, Weights.of(placement), Scales(placement, integers.bounds))
    agreement = measure_agreement(mirror, file, converted.photographs)
    require_agreement(agreement, "the file")
    mirror.weights.values["backbone/stage1/1/pointwise/weight"].data.neg_()
    agreement = measure_agreement(mirror, file, converted.photographs)
    assert list(agreement.first_differences) == ["backbone/stage1/1/pointwise"]


def test_another_average_precision_fails(integers: Integers, converted: Converted) -> None:
    agreement = measure_agreement(
        integers.mirror(), integers.file, converted.photographs, {"some": (0.9, 0.8985)}
    )
    with pytest.raises(GateError, match=r"AP on some is 0.8985, the trained network's 0.9000"):
        require_agreement(agreement, "the file")


def test_scales_follow_the_file(integers: Integers) -> None:
    """Pooling, resizing and padding have their input's scale; concatenation gives its own to its parts."""
    placement = integers.placement
    names = {tensor.name: index for index, tensor in enumerate(placement.graph.tensors)}
    owner = {name: placement.owner.get(index) for name, index in names.items()}
    for operator in placement.graph.operators:
        entries = [owner[placement.graph.tensors[index].name] for index in operator.inputs]
        out = owner[placement.graph.tensors[operator.outputs[0]].name]
        if operator.kind in ("MAX_POOL_2D", "RESIZE_BILINEAR", "PAD", "RESHAPE"):
            assert out == entries[0]
        if operator.kind == "CONCATENATION":
            assert set(entries) == {out}
    assert owner["scores"] is None  # a probability: 1 / 256
    assert scale_of(0, 255) == 1
    assert zero_point_of(0, 255) == -128


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.3, 2.7), (-0.1, 40.0), (-3.0, 0.0)])
def test_scales_are_the_quantizers_own(low: float, high: float) -> None:
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as reference
    from ai_edge_quantizer.qtyping import QuantGranularity

    ends = (np.full(1, value, np.float32) for value in (low, high))
    zero_point, scale = reference.tensor_zp_scale_from_min_max(*ends, 8, False, QuantGranularity.TENSORWISE)
    assert (scale_of(low, high), zero_point_of(low, high)) == (scale[0], zero_point[0])


def test_gradients_are_those_of_the_product_where_nothing_is_clamped() -> None:
    total = torch.tensor([[-400.0, 10.0, 77.0, 900.0]], requires_grad=True)
    multiplier = torch.tensor([0.5, 0.5, 0.25, 0.5], requires_grad=True)
    result = requantize(total, multiplier, -128, 127)
    assert result.tolist() == [[-128, 5, 19, 127]]
    result.backward(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))  # type: ignore[no-untyped-call]
    assert total.grad is not None
    assert multiplier.grad is not None
    assert total.grad.tolist() == [[0, 1, 0.75, 0]]
    assert multiplier.grad.tolist() == [0, 20, 231, 0]


def test_sums_are_rounded_half_up_as_the_kernel_does() -> None:
    a, half = torch.tensor([1.0, 3.0, -1.0]), torch.tensor(0.5)
    assert add(a, torch.zeros(3), half, half, -128, 127).tolist() == [1, 2, 0]


def test_a_means_scale_follows_that_of_its_entry(integers: Integers) -> None:
    scales = integers.mirror().scales
    assert set(scales.ratios) == {"attention/0", "attention/1", "attention/2"}
    with torch.no_grad():
        scales.logarithm += 0.1 * torch.arange(len(scales.owners)) / len(scales.owners)
    for mean, (entry, ratio) in scales.ratios.items():
        now = scale_of(*scales.bounds_of(mean)) / scale_of(*scales.bounds_of(entry))
        assert float(now) == pytest.approx(ratio, rel=1e-6)


def test_a_batch_is_each_picture_alone(integers: Integers, converted: Converted) -> None:
    mirror = integers.mirror()
    pixels = torch.from_numpy(np.stack(converted.photographs[:3]))
    with torch.no_grad():
        together = mirror.answer(pixels)
    for number, image in enumerate(converted.photographs[:3]):
        for joined, alone in zip(together, runs_of(mirror)(image), strict=True):
            np.testing.assert_array_equal(joined[number].numpy(), alone[0])


def test_onnx_runtime_finds_the_same_faces(integers: Integers, converted: Converted, tmp_path: Path) -> None:
    mirror, output = integers.mirror(), tmp_path / "qdq.onnx"
    assert supports(mirror)
    running = open_model(integers.file)
    facts = export_qdq(mirror, converted.spec, output, lambda x: running.run(x).values, converted.photographs)
    parity = facts["parity"]
    assert parity["faces"] == parity["faces_kept"] == parity["faces_found"] > 0
    float32 = open_model(converted.float32)
    integer = open_model(output)
    against_float = measure_difference(
        lambda x: float32.run(x).values,
        lambda x: integer.run(x).values,
        converted.photographs,
        converted.spec,
    )
    boxes = against_float.outputs["boxes"].sqnr_db
    assert boxes is not None
    assert 5 < boxes < 40  # 8 bits, not float32 under another name


@pytest.mark.parametrize(
    ("score", "other", "message"),
    [
        (0.52, 0.47, None),
        (0.47, 0.52, None),
        (0.52, 0.38, "1 of the integer file's 2 faces are not found, and 0 of 1"),
        (0.38, 0.52, "0 of the integer file's 1 faces are not found, and 1 of 2"),
    ],
)
def test_a_tie_may_push_a_face_over_the_threshold_and_no_more(
    score: float, other: float, message: str | None, converted: Converted
) -> None:
    def answers(doubtful: float) -> Answers:
        boxes, scores, landmarks = (np.zeros(shape, np.float32) for shape in converted.spec.output_shapes)
        scores[0, 0, -1], scores[0, -1, -1] = 0.9, doubtful  # the first and the last anchor: far apart
        return lambda _: (boxes, scores, landmarks)

    def compare() -> None:
        require_same_faces(answers(score), answers(other), converted.photographs[:1], converted.spec, "it")

    if message is None:
        compare()
    else:
        with pytest.raises(GateError, match=message):
            compare()


def test_a_quantized_file_is_refused(integers: Integers) -> None:
    with pytest.raises(InputError, match="is quantized already"):
        find_placement(integers.file, integers.recipe)


def test_a_recipe_without_int8_is_refused(integers: Integers, converted: Converted) -> None:
    with pytest.raises(InputError, match="has no int8 layer"):
        find_placement(converted.float32, replace(integers.recipe, layers=()))

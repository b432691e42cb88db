"""The proof notices when the integer file is not what was trained, and says where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from torch import Tensor

from model.foundation.errors import GateError
from quantize.apply.quantizer import apply_recipe
from quantize.qat.faithfulness import measure_agreement, require_agreement
from quantize.qat.mirror.integers import Requantize
from quantize.qat.mirror.mirror import Mirror, Weights
from quantize.qat.mirror.scales import Scales, find_placement
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
    low, high = integers.bounds["backbone/stage3/2/pointwise"]
    lost = {**integers.bounds, "backbone/stage3/2/pointwise": (low, high * 1.05)}
    file = tmp_path / "lost.tflite"
    apply_recipe(integers.recipe, converted.float32, lost, file)
    agreement = measure_agreement(integers.mirror(), file, converted.photographs)
    assert agreement.other_scales == ("backbone/stage3/2/pointwise",)
    with pytest.raises(GateError, match="1 of .* scales or zero points are not those that were trained"):
        require_agreement(agreement, "the file")


def test_the_gate_notices_a_mis_mapped_layer(integers: Integers, converted: Converted) -> None:
    first, second = "backbone/stage3/2/pointwise/weight", "backbone/stage3/3/pointwise/weight"
    swapped = {first: second, second: first}
    names = {index: swapped.get(name, name) for index, name in integers.placement.weights.items()}
    placement = replace(integers.placement, weights=names)
    mirror = Mirror(placement, Weights.of(placement), Scales(placement, integers.bounds))
    agreement = measure_agreement(mirror, integers.file, converted.photographs)
    with pytest.raises(GateError, match=r"dB only .* differences begin at backbone/stage3/2/pointwise"):
        require_agreement(agreement, "the file")


def test_a_difference_is_named_where_it_begins_and_not_after_every_conversion(
    integers: Integers, converted: Converted, tmp_path: Path
) -> None:
    floats = "backbone/stage2/1/|backbone/stage3/2/"
    recipe = structs.replace(integers.recipe, layers=(*integers.recipe.layers, LayerRule(floats, "float16")))
    placement = find_placement(converted.float32, recipe)
    file = tmp_path / "mixed.tflite"
    apply_recipe(recipe, converted.float32, integers.bounds, file)
    mirror = Mirror(placement, Weights.of(placement), Scales(placement, integers.bounds))
    agreement = measure_agreement(mirror, file, converted.photographs)
    require_agreement(agreement, "the file")
    mirror.weights.values["backbone/stage2/0/pointwise/weight"].data.neg_()
    agreement = measure_agreement(mirror, file, converted.photographs)
    assert list(agreement.first_differences) == ["backbone/stage2/0/pointwise"]


def test_another_average_precision_fails(integers: Integers, converted: Converted) -> None:
    agreement = measure_agreement(
        integers.mirror(), integers.file, converted.photographs, {"some": (0.9, 0.8985)}
    )
    with pytest.raises(GateError, match=r"AP on some is 0.8985, the trained network's 0.9000"):
        require_agreement(agreement, "the file")

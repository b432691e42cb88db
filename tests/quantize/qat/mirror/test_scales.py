"""Which tensors share a scale, and what the scales learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec import structs

from model.foundation.errors import InputError
from quantize.qat.mirror.scales import find_placement, scale_of, zero_point_of
from tests.conftest import Converted
from tests.quantize.qat.conftest import Integers


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


def test_a_means_scale_follows_that_of_its_entry(integers: Integers) -> None:
    scales = integers.mirror().scales
    assert set(scales.ratios) == {"attention/0", "attention/1", "attention/2"}
    with torch.no_grad():
        scales.logarithm += 0.1 * torch.arange(len(scales.owners)) / len(scales.owners)
    for mean, (entry, ratio) in scales.ratios.items():
        now = scale_of(*scales.bounds_of(mean)) / scale_of(*scales.bounds_of(entry))
        assert float(now) == pytest.approx(ratio, rel=1e-6)


def test_a_quantized_file_is_refused(integers: Integers) -> None:
    with pytest.raises(InputError, match="is quantized already"):
        find_placement(integers.file, integers.recipe)


def test_a_recipe_without_int8_is_refused(integers: Integers, converted: Converted) -> None:
    with pytest.raises(InputError, match="has no int8 layer"):
        find_placement(converted.float32, structs.replace(integers.recipe, layers=()))

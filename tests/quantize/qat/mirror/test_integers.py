"""The integer kernels' arithmetic and its gradients."""

from __future__ import annotations

import torch

from quantize.qat.mirror.integers import add, requantize


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

"""The integer file in PyTorch."""

from __future__ import annotations

import numpy as np
import torch

from tests.conftest import Converted
from tests.quantize.qat.conftest import Integers


def test_a_batch_is_each_picture_alone(integers: Integers, converted: Converted) -> None:
    mirror = integers.mirror()
    pixels = torch.from_numpy(np.stack(converted.photographs[:3]))
    with torch.no_grad():
        together = mirror.answer(pixels)
    for number, image in enumerate(converted.photographs[:3]):
        for joined, alone in zip(together, mirror.raw(image), strict=True):
            np.testing.assert_array_equal(joined[number].numpy(), alone[0])

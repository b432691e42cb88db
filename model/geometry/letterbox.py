"""Fit an image into a network's input and carry detections back. The image stands at the top left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.geometry.boxes import Detections
from model.geometry.spec import DetectorSpec

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Letterbox:
    """How an image was fitted: pixels of the input = pixels of the image times `scale`.

    Attributes:
        scale: Factor from the image to the input, the same in x and y.
        image_height, image_width: Size of the original image in pixels.
    """

    scale: float
    image_height: int
    image_width: int

    def to_image(self, found: Detections) -> Detections:
        """Carry detections from pixels of the input to pixels of the original image (not clipped)."""
        factor = np.float32(1.0 / self.scale)
        return replace(found, boxes_xyxy=found.boxes_xyxy * factor, landmarks=found.landmarks * factor)


def letterbox(image_rgb: Pixels, spec: DetectorSpec) -> tuple[Pixels, Letterbox]:
    """Scale an image to fit the spec's input, keep its proportions, fill the rest with the pad colour.

    Args:
        image_rgb: uint8 [H, W, 3].
        spec: Says the input size and the pad colour.

    Returns:
        The input as uint8 RGB [input_height, input_width, 3], and how to come back from it.
    """
    height, width = image_rgb.shape[:2]
    scale = min(spec.input_height / height, spec.input_width / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = (
        image_rgb if size == (width, height) else cv2.resize(image_rgb, size, interpolation=cv2.INTER_LINEAR)
    )
    canvas = np.empty((spec.input_height, spec.input_width, 3), np.uint8)
    canvas[:] = spec.pad_rgb
    canvas[: size[1], : size[0]] = resized
    return canvas, Letterbox(scale, height, width)


def network_input(input_rgb: Pixels, spec: DetectorSpec) -> NDArray[np.float32]:
    """The bare PyTorch network's input: uint8 RGB [H, W, 3] -> float32 [1, 3, H, W], scaled."""
    ordered = input_rgb if spec.channel_order == "RGB" else input_rgb[..., ::-1]
    scaled = np.asarray(ordered - np.asarray(spec.mean, np.float32), np.float32)
    if spec.std != (1.0, 1.0, 1.0):
        scaled = np.asarray(scaled / np.asarray(spec.std, np.float32), np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])

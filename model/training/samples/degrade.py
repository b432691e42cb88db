"""What a student's view suffers and its teacher's did not: colour, light, grey, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from model.geometry.letterbox import Pixels

COLOUR, GREY, BLUR, JPEG, NOISE = 0.8, 0.08, 0.12, 0.12, 0.08
"""Probability of each damage."""


def degrade(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Damage uint8 RGB [H, W, 3] as cameras, networks and darkness do; the geometry stays.

    The same state of `draw` gives the same picture.
    """
    chances = draw.random(5)
    if chances[0] < COLOUR:
        pixels = _recoloured(pixels, draw)
    if chances[1] < GREY:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if chances[2] < BLUR:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), draw.uniform(0.4, 1.6)), np.uint8)
    if chances[3] < JPEG:
        quality = int(draw.integers(25, 90))
        coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    if chances[4] < NOISE:
        grain = draw.normal(0, draw.uniform(2, 12), pixels.shape).astype(np.float32)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    return pixels


def _recoloured(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Gamma, contrast, brightness and colour cast as one table a channel; black stays near black."""
    level = np.arange(256, dtype=np.float32) / 255
    level = level ** np.float32(np.exp(draw.uniform(-0.4, 0.5)))
    level = (level - 0.45) * np.float32(draw.uniform(0.7, 1.3)) + 0.45 + np.float32(draw.uniform(-0.1, 0.1))
    cast = draw.uniform(0.92, 1.08, 3).astype(np.float32)
    table = np.clip(level[:, None] * cast * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, np.ascontiguousarray(table[None])), np.uint8)

"""Cloth in folds, drawn: a detector that has seen no photo takes creases for eyes and mouths."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray

LAYERS = (2, 5)
"""Systems of folds on one cloth, at least and fewer than."""


def draw_drapery(size: int, rng: np.random.Generator) -> ImageArray:
    """(size, size, 3) RGB: cloth of one or two colours, shaded as its folds turn to and from the light."""
    height = sum((_folds(size, rng) for _ in range(int(rng.integers(*LAYERS)))), np.zeros((size, size), np.float32))
    steep = rng.uniform(0.15, 0.6) * size / max(float(np.ptp(height)), 1e-6)
    down, across = np.gradient(steep * height)
    light = rng.normal((0.0, 0.0, 1.5), 1.0)
    light /= np.linalg.norm(light)
    facing = (light[2] - light[0] * across - light[1] * down) / np.sqrt(1 + across**2 + down**2)
    shade = rng.uniform(0.15, 0.6) + np.maximum(facing, 0)
    cloth = _dye(size, rng) * (shade / float(shade.mean()))[..., None]
    soft = cv2.GaussianBlur(cloth.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.6)))
    return np.asarray(soft, np.float32).clip(0, 255).astype(np.uint8)


def _folds(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(size, size) height of parallel folds that bend, run together and die away."""
    turn = rng.uniform(0, math.pi)
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / np.float32(size)
    across = columns * np.float32(math.cos(turn)) + rows * np.float32(math.sin(turn))
    number = math.exp(rng.uniform(math.log(1.5), math.log(9.0)))
    bent = across * np.float32(number) + np.float32(rng.uniform(0.2, 1.0)) * _cloud(size, rng)
    crest = 1 - np.abs(np.sin(np.float32(math.pi) * bent)) ** np.float32(rng.uniform(0.5, 1.5))
    folds: NDArray[np.float32] = crest * (0.5 + 0.5 * _cloud(size, rng)) / np.float32(number)
    return folds


def _dye(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(size, size, 3) the cloth's colour in even light, striped or checked in a third of the cases."""
    first, second = np.exp(rng.uniform(math.log(12), math.log(230), (2, 1))) * np.exp(rng.normal(0, 0.35, (2, 3)))
    cloth = np.broadcast_to(first, (size, size, 3))
    if rng.random() < 1 / 3:
        rows, columns = np.mgrid[:size, :size] / size * rng.uniform(4, 25)
        marks = np.sin(math.tau * columns) > rng.uniform(-0.5, 0.7)
        if rng.random() < 0.5:
            marks ^= np.sin(math.tau * rows) > 0
        cloth = np.where(marks[..., None], second, cloth)
    return cloth.astype(np.float32)


def _cloud(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(size, size) smooth noise, about -1 to 1."""
    cells = int(rng.integers(3, 9))
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)

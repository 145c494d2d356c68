"""What hides or changes part of a face: flat halves, discs, bars, hands, other pictures, paint.

All of them are drawn in a frame of the face, its box being -1..1 both ways, turned with the eyes. Drawn where no face
is, the same shapes keep a detector from taking a flat patch for half of one.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.face_pastes import StoredFace, blend
from startrack.train.augment.lookalikes import draw_limb
from startrack.train.augment.strong_light import LUMA

PATCH_SIDES = 1.3
"""Side of the square that a covering is drawn in, in sides of the face: some reach over its edge."""


def cover_face(
    picture: ImageArray, square: FloatArray, angle_rad: float, skin: StoredFace, rng: np.random.Generator
) -> None:
    """Hide about a quarter to a half of a face in `picture`, in place.

    square: (3,) centre x, y and side of its box. angle_rad: direction of its eyes. skin: whose colours a hand takes.
    """
    size = max(math.ceil(PATCH_SIDES * float(square[2])), 8)
    if rng.random() < 0.2:
        patch, alpha = draw_limb(size, skin, rng)
    else:
        alpha = cover_shape(size, angle_rad, rng)
        patch = _filling(picture, square, size, rng)
    corner = np.round(np.asarray(square[:2], np.float64) - (size - 1) / 2 + _limb_shift(rng, float(square[2])))
    blend(picture, patch, (int(corner[0]), int(corner[1])), alpha)


def _limb_shift(rng: np.random.Generator, side: float) -> NDArray[np.float64]:
    """Pixels that a covering lies off the face's centre."""
    return rng.normal(0, 0.04, 2) * side


def cover_shape(size: int, angle_rad: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(size, size) opacity 0 or 1: half of the face, a disc on it, a bar across it, or its lower part."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    y, x = (np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2) * np.float32(2 * PATCH_SIDES / size)
    u, v = cos * x + sin * y, cos * y - sin * x
    match int(rng.integers(6)):
        case 0 | 1:
            # left or right half, its edge up to a tenth of the face's side off the middle
            mask = u * rng.choice([-1, 1]) > rng.normal(0, 0.1)
        case 2:
            mask = v * rng.choice([-1, 1]) > rng.uniform(-0.05, 0.4)
        case 3:
            middle, radius = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.3, 0.65)
            mask = np.hypot(u - middle[0], v - middle[1]) < radius
        case 4:
            place, half = rng.uniform(-0.6, 0.7), rng.uniform(0.1, 0.35)
            mask = np.abs((v if rng.random() < 0.7 else u) - place) < half
        case _:
            # a corner of the face, cut off aslant
            turn = rng.uniform(0, 2 * math.pi)
            mask = u * math.cos(turn) + v * math.sin(turn) > rng.uniform(0.0, 0.5)
    inside = np.abs(np.stack([x, y])).max(axis=0) < rng.uniform(1.0, PATCH_SIDES)
    opacity: NDArray[np.float32] = (mask & inside).astype(np.float32)
    return opacity


def _filling(picture: ImageArray, square: FloatArray, size: int, rng: np.random.Generator) -> ImageArray:
    """(size, size, 3): grey, one colour, noise, or another part of the picture."""
    cover = np.empty((size, size, 3), np.uint8)
    match int(rng.integers(5)):
        case 0 | 1:
            cover[:] = int(rng.integers(0, 256))
        case 2:
            cover[:] = rng.integers(0, 256, 3)
        case 3:
            cover = rng.integers(0, 256, cover.shape, dtype=np.uint8)
        case _:
            height, width = picture.shape[:2]
            side = min(size, height, width)
            left, top = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
            part = picture[top : top + side, left : left + side]
            cover = np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    return cover


def paint_face(picture: ImageArray, square: FloatArray, angle_rad: float, rng: np.random.Generator) -> None:
    """Colour the skin of a face in `picture`, in place: all of it, one half, or stripes; its light and shade stay."""
    size = max(math.ceil(PATCH_SIDES * float(square[2])), 8)
    left, top = (round(float(middle) - (size - 1) / 2) for middle in square[:2])
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size, width), min(top + size, height)
    if x0 >= x1 or y0 >= y1:
        return
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    y, x = (np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2) * np.float32(2 * PATCH_SIDES / size)
    u, v = cos * x + sin * y, cos * y - sin * x
    alpha = ((1.05 - np.hypot(u / 0.95, (v + 0.1) / 1.15)) * 8).clip(0, 1) * np.float32(rng.uniform(0.4, 1.0))
    match int(rng.integers(4)):
        case 0:
            alpha *= u * rng.choice([-1, 1]) > 0
        case 1:
            turn, pitch = rng.uniform(0, math.pi), rng.uniform(4, 14)
            alpha *= np.sin((u * math.cos(turn) + v * math.sin(turn)) * pitch + rng.uniform(0, 6)) > rng.uniform(
                -0.5, 0.5
            )
        case _:
            pass
    part = picture[y0:y1, x0:x1].astype(np.float32)
    shade = part @ np.array(LUMA, np.float32)
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    # bright skin takes the paint's colour, dark lashes and nostrils stay dark
    painted = (shade / max(float(np.percentile(shade, 90)), 1.0)).clip(0, 1.3)[..., None] * colour
    share = alpha[y0 - top : y1 - top, x0 - left : x1 - left, None]
    picture[y0:y1, x0:x1] = (part + share * (painted - part)).clip(0, 255).astype(np.uint8)

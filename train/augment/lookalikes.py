"""Things of skin that are no faces: hands, arms and bare shapes with spots, drawn in the colours of real faces."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray
from startrack.train.augment.face_pastes import StoredFace

CHEEKS = ((2, 31), (14, 35))
"""Landmarks of the jaw and the nose; the cheek lies between them."""


def draw_limb(size: int, face: StoredFace, rng: np.random.Generator) -> tuple[ImageArray, NDArray[np.float32]]:
    """(size, size, 3) RGB and (size, size) opacity 0..1: a hand, an arm or a spotted ellipse of this face's skin."""
    skin = skin_texture(size, face, rng)
    # parts lie on top of each other, each with its own shade, so that fingers differ
    shade, cover = np.ones((size, size), np.float32), np.zeros((size, size), np.uint8)
    draw = rng.random()
    parts = _hand(size, rng) if draw < 0.55 else _arm(size, rng) if draw < 0.75 else _ellipses(size, rng)
    light = rng.uniform(0, 2 * math.pi)
    depth = rng.uniform(0.1, 0.6)
    y, x = (np.mgrid[:size, :size].astype(np.float32) - size / 2) / size
    slope = 1 + np.float32(rng.uniform(0, 0.5)) * (x * np.float32(math.cos(light)) + y * np.float32(math.sin(light)))
    for part in parts:
        round_off = cv2.distanceTransform(part, cv2.DIST_L2, 3)
        thick = max(float(round_off.max()), 1.0)
        inside = part > 0
        shade[inside] = (1 - depth + depth * np.sqrt(round_off[inside] / thick)).astype(np.float32)
        cover |= part
    picture = skin * (shade * slope)[..., None]
    if draw > 0.75:
        _add_spots(picture, rng)
    alpha = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.5)))
    return picture.clip(0, 255).astype(np.uint8), np.asarray(alpha, np.float32)


def skin_texture(size: int, face: StoredFace, rng: np.random.Generator) -> NDArray[np.float32]:
    """(size, size, 3) a cheek of the face spread over the whole picture."""
    jaw, nose = CHEEKS[int(rng.integers(2))]
    middle = (face.landmarks[jaw] + face.landmarks[nose]) / 2
    reach = max(0.07 * float(face.square()[2]), 2.0)
    low = np.floor(middle - reach).astype(int).clip(0)
    high = np.ceil(middle + reach).astype(int) + 1
    patch = face.image[low[1] : high[1], low[0] : high[0]]
    if not patch.size:
        return np.full((size, size, 3), face.image.reshape(-1, 3).mean(axis=0), np.float32)
    return np.asarray(cv2.resize(patch, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _hand(size: int, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """A palm, then three to five fingers, spread or side by side, long or bent to a fist."""
    palm = rng.uniform(0.13, 0.2) * size
    middle = size / 2 + rng.normal(0, 0.04 * size, 2)
    towards, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.4)
    count, length = int(rng.integers(3, 6)), rng.uniform(0.5, 2.0) * palm
    parts = [_ellipse(size, middle, (palm * rng.uniform(0.8, 1.3), palm), math.degrees(towards))]
    for finger in range(count):
        place = finger - (count - 1) / 2
        angle = towards + place * spread
        side = np.array([-math.sin(towards), math.cos(towards)]) * place * 2 * palm / count
        root = middle + side + 0.6 * palm * np.array([math.cos(towards), math.sin(towards)])
        tip = root + length * rng.uniform(0.7, 1.1) * np.array([math.cos(angle), math.sin(angle)])
        parts.append(_bar(size, np.stack([root, tip]), palm * rng.uniform(0.35, 0.55)))
    return parts


def _arm(size: int, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Two or three thick bars from joint to joint."""
    joints = size / 2 + rng.uniform(-0.45, 0.45, (int(rng.integers(2, 5)), 2)) * size
    width = rng.uniform(0.08, 0.25) * size
    return [_bar(size, joints[i : i + 2], width * rng.uniform(0.7, 1.1)) for i in range(len(joints) - 1)]


def _ellipses(size: int, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """One to three, of a face's proportions or not."""
    return [
        _ellipse(
            size, size / 2 + rng.normal(0, 0.08 * size, 2), tuple(rng.uniform(0.15, 0.4, 2) * size), rng.uniform(0, 180)
        )
        for _ in range(int(rng.integers(1, 4)))
    ]


def _bar(size: int, ends: NDArray[np.float64], width: float) -> NDArray[np.uint8]:
    mask = np.zeros((size, size), np.uint8)
    first, last = (tuple(round(float(value)) for value in end) for end in ends)
    cv2.line(mask, first, last, 1, max(int(width), 1))
    return mask


def _ellipse(
    size: int, middle: NDArray[np.float64], half_axes: tuple[float, ...], angle_deg: float
) -> NDArray[np.uint8]:
    mask = np.zeros((size, size), np.uint8)
    axes = tuple(max(int(value), 1) for value in half_axes)
    cv2.ellipse(mask, tuple(int(value) for value in middle), axes, float(angle_deg), 0, 360, 1, -1)
    return mask


def _add_spots(picture: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Up to eight dark or pale ones anywhere, in place."""
    size = picture.shape[0]
    for _ in range(int(rng.integers(0, 9))):
        spot = _ellipse(size, rng.uniform(0.2, 0.8, 2) * size, tuple(rng.uniform(0.02, 0.12, 2) * size), 0.0)
        picture[spot > 0] *= np.float32(rng.uniform(0.2, 1.5))

"""Eyelids that close and mouths that open: warps of a picture that move every landmark by an exactly known amount.

A landmark p moves to p + Σ aⱼ gⱼ(p) · d, with d the face's downward direction, gⱼ a fixed field of lengths in pixels
for each feature (both eyes, mouth) and aⱼ its amplitude in the frame. The picture is warped by the inverse of this map,
found by bisection along d.
"""

# P points, H W picture

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.motion.head_path import Float64Array

BISECTIONS = 13
INNER_LIPS = ((61, 67), (62, 66), (63, 65))
"""Upper and lower landmark of each pair, iBUG markup."""
EYELIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
CHIN = 8
FEATURES = ("blink", "mouth")


@dataclass(frozen=True, slots=True, eq=False)
class _Eye:
    """An eye in its own axes: along the corners, and downwards."""

    middle: Float64Array
    half_width: float
    along: Float64Array
    upper: float
    """Height of the upper lid at the middle of the eye above the line of the corners, pixels."""
    lower: float
    """Depth of the lower lid below it."""


class Expression:
    """The warps of one face."""

    def __init__(self, landmarks: FloatArray, scheme: LandmarkScheme, shape: tuple[int, int]) -> None:
        """landmarks: (68, 2) picture pixels, iBUG markup. shape: height and width of the picture."""
        self._points = np.asarray(landmarks, np.float64)
        assert scheme.inter_ocular is not None
        first, second = (self._points[index] for index in scheme.inter_ocular)
        across = (second - first) / np.linalg.norm(second - first)
        self.down: Float64Array = np.array([-across[1], across[0]])
        """(2,) unit vector, the face's downward direction in the picture."""
        self._eyes = [_eye(self._points[list(corner)]) for corner in (scheme.left_eye, scheme.right_eye)]
        self._grid = _Grid(self, shape)

    def field(self, points: FloatArray) -> Float64Array:
        """(P, 2) points → (P, 2): how far blink and mouth of amplitude 1 move each downwards, all in picture pixels."""
        points = np.asarray(points, np.float64)
        blink = np.zeros(len(points))
        for eye in self._eyes:
            blink += _blink_field(eye, points)
        return np.stack([blink, self._mouth_field(points)], axis=-1)

    def move(self, amplitudes: Float64Array) -> Float64Array:
        """(68, 2) where the landmarks are in the warped picture, for (2,) amplitudes of blink and mouth."""
        moved: Float64Array = self._points + (self.field(self._points) @ amplitudes)[:, None] * self.down
        return moved

    def warp(self, image: ImageArray, amplitudes: Float64Array) -> ImageArray:
        """The picture with this expression; blink 0..0.9 closes the eyes, mouth > 0 opens it by so many inner gaps."""
        return self._grid.warp(image, amplitudes) if np.any(amplitudes) else image

    def _mouth_field(self, points: Float64Array) -> Float64Array:
        """All below the upper lip goes down by the gap: the lower lip and the chin; nothing does at the sides of the
        mouth."""
        mouth = self._points[[60, 64]].mean(axis=0)
        right = np.array([self.down[1], -self.down[0]])
        half = 0.5 * float((self._points[54] - self._points[48]) @ right)
        upper = float((self._points[[upper for upper, _ in INNER_LIPS]] - mouth).mean(axis=0) @ self.down)
        gap = max(_gap(self._points, INNER_LIPS, self.down), 2.0)
        chin = float((self._points[CHIN] - mouth) @ self.down)
        across, depth = (points - mouth) @ right, (points - mouth) @ self.down
        opened = _step((depth - upper) / gap)
        neck = 1 - _step((depth - 0.8 * chin) / (1.6 * chin))
        beside = 1 - _step((np.abs(across) - 0.35 * half) / (1.5 * half))
        return gap * opened * neck * beside


class _Grid:
    """The fields on the pixels of the part of the picture that moves at all."""

    def __init__(self, expression: Expression, shape: tuple[int, int]) -> None:
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
        fields = expression.field(pixels.reshape(-1, 2)).reshape(*shape, 2)
        moving = np.argwhere(np.abs(fields).max(axis=-1) > 1e-3)
        # what moves in must be found too: a margin as large as the largest move of amplitude 3
        margin = int(np.ceil(3 * fields.max())) + 2
        top, left = (moving.min(axis=0) - margin).clip(0)
        bottom, right = (moving.max(axis=0) + 1 + margin).clip(None, shape)
        self._part = (slice(top, bottom), slice(left, right))
        self._corner = np.array([left, top], np.float32)
        self._down = expression.down.astype(np.float32)
        self._fields = fields[self._part].astype(np.float32)
        self._pixels = pixels[self._part].astype(np.float32)

    def warp(self, image: ImageArray, amplitudes: Float64Array) -> ImageArray:
        field = np.ascontiguousarray(self._fields @ amplitudes.astype(np.float32))
        # pixel q shows the picture at q - b d with b = g(q - b d); b is bracketed, and the map never folds
        low = np.full(field.shape, min(float(field.min()), 0), np.float32)
        high = np.full(field.shape, max(float(field.max()), 0), np.float32)
        for _ in range(BISECTIONS):
            back = (low + high) / 2
            here = self._pixels - back[..., None] * self._down - self._corner
            short = back < _remapped(field, here, cv2.INTER_LINEAR)
            low, high = np.where(short, back, low), np.where(short, high, back)
        source = self._pixels - ((low + high) / 2)[..., None] * self._down
        warped = image.copy()
        warped[self._part] = _remapped(image, source, cv2.INTER_CUBIC)
        return warped


def _remapped(image: NDArray[Any], source_HW2: Float64Array, interpolation: int) -> NDArray[Any]:
    """The image as seen from the given pixels of it; beyond its border like the border."""
    # the stubs do not know that the second map may be missing
    return cv2.remap(image, source_HW2, None, interpolation, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload,no-any-return]


def opening(points_TK2: FloatArray, feature: str, scheme: LandmarkScheme) -> Float64Array:
    """(T,) mean distance of the lids ("blink") or of the inner lips ("mouth"), over the inter-ocular distance."""
    points = np.asarray(points_TK2, np.float64)
    pairs = np.array(EYELIDS if feature == "blink" else INNER_LIPS)
    assert scheme.inter_ocular is not None
    first, second = scheme.inter_ocular
    across = points[:, second] - points[:, first]
    unit = np.linalg.norm(across, axis=-1)
    down = np.stack([-across[:, 1], across[:, 0]], axis=-1) / unit[:, None]
    gaps = ((points[:, pairs[:, 1]] - points[:, pairs[:, 0]]) * down[:, None]).sum(axis=-1)
    opened: Float64Array = gaps.mean(axis=-1) / unit
    return opened


def mouth_gap(landmarks: FloatArray, scheme: LandmarkScheme) -> float:
    """Distance of the inner lips over the inter-ocular distance, for (68, 2) landmarks."""
    return float(opening(np.asarray(landmarks, np.float64)[None], "mouth", scheme)[0])


def _eye(points_62: Float64Array) -> _Eye:
    """From its six landmarks: corner, two of the upper lid, corner, two of the lower lid."""
    along = points_62[3] - points_62[0]
    width = float(np.linalg.norm(along))
    along = along / width
    down = np.array([-along[1], along[0]])
    middle = (points_62[0] + points_62[3]) / 2
    lids = [points_62[[1, 2]] - middle, points_62[[4, 5]] - middle]
    # a lid is taken for a parabola from corner to corner through the middle of its two landmarks
    arches = [float((1 - (lid @ along / (width / 2)) ** 2).mean()) for lid in lids]
    upper, lower = (float((lid @ down).mean()) / max(arch, 0.3) for lid, arch in zip(lids, arches, strict=True))
    return _Eye(middle, width / 2, along, max(-upper, 1.0), max(lower, 0.5))


def _blink_field(eye: _Eye, points: Float64Array) -> Float64Array:
    """The upper lid comes down to the lower one, the skin under the brow follows, the lower lid stays."""
    down = np.array([-eye.along[1], eye.along[0]])
    across, depth = (points - eye.middle) @ eye.along / eye.half_width, (points - eye.middle) @ down
    arch = np.clip(1 - across**2, 0, 1)
    upper, lower = -eye.upper * arch, eye.lower * arch
    opened = np.maximum(lower - upper, 1e-9)
    inside = np.clip((lower - depth) / opened, 0, 1)
    skin = 1.2 * eye.half_width
    above = 1 - _step((upper - depth) / skin)
    return opened * np.where(depth > upper, inside, above) * (arch > 0)


def _gap(points: Float64Array, pairs: tuple[tuple[int, int], ...], down: Float64Array) -> float:
    chosen = np.array(pairs)
    return float(((points[chosen[:, 1]] - points[chosen[:, 0]]) @ down).mean())


def _step(x: NDArray[np.float64]) -> Float64Array:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(x, 0, 1)
    step: Float64Array = x**2 * (3 - 2 * x)
    return step

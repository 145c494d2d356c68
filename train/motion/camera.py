"""What happens between a moving head and a recorded frame: scenery behind it, things before it, light, sensor noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.motion.head_path import Float64Array

FADE = 0.08
"""Share of the picture's side over which it fades into the scenery at each edge."""


@dataclass(frozen=True, slots=True)
class Camera:
    """How a clip is recorded."""

    noise: float = 1.5
    """Standard deviation of the sensor's noise in grey levels, new in every frame and channel."""
    light: float = 0.0
    """Depth of the light's changes: gain between 1 - light and 1 + light, in slow swells and one switch."""
    occluder: bool = False
    """A hand-sized patch crosses the face every three seconds."""
    crf: int = 23
    """Quality of the H.264 file; 23 is x264's own."""


class Stage:
    """The scenery of one clip and the card that moves in front of it."""

    def __init__(self, picture: ImageArray, size: tuple[int, int], rng: np.random.Generator) -> None:
        """picture: (H, W, 3) RGB, the card. size: width and height of the frames."""
        self._size = size
        shape = picture.shape[:2]
        tiny = cv2.resize(picture, (8, 6), interpolation=cv2.INTER_AREA)[:, :: rng.choice([-1, 1])]
        tiny = (0.6 * tiny + rng.uniform(0, 60, 3)).clip(0, 255).astype(np.uint8)
        scenery = cv2.resize(tiny, size, interpolation=cv2.INTER_CUBIC)
        self._scenery = scenery.astype(np.float32)
        ramps = [np.minimum(np.arange(n), n - 1 - np.arange(n)) / (FADE * n) for n in shape]
        mask = np.minimum.outer(ramps[0].clip(0, 1), ramps[1].clip(0, 1)) * inside_photo(picture)
        self._mask = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), FADE * min(shape) / 4) * (mask > 0)

    def show(self, picture: ImageArray, matrix: Float64Array) -> NDArray[np.float32]:
        """(h, w, 3) RGB: the card, as it looks now, at its place in the frame."""
        shrink = 1 / math.sqrt(abs(float(np.linalg.det(matrix[:2, :2] / matrix[2, 2]))))
        if shrink > 1.3:  # a warp skips pixels where it makes smaller
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 * math.sqrt(shrink**2 - 1)), np.uint8)
        card = cv2.warpPerspective(picture, matrix, self._size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        mask = cv2.warpPerspective(self._mask, matrix, self._size, flags=cv2.INTER_LINEAR)[..., None]
        shown: NDArray[np.float32] = self._scenery + mask * (card.astype(np.float32) - self._scenery)
        return shown


def inside_photo(picture: ImageArray) -> NDArray[np.float32]:
    """(H, W) 1 inside the photo that a picture was cut from, 0 in the black bars beyond its edges."""
    lit = picture.max(axis=-1) > 12
    rows, columns = (np.flatnonzero(lit.mean(axis=axis) > 0.02) for axis in (1, 0))
    inside = np.zeros(picture.shape[:2], np.float32)
    if len(rows) and len(columns):
        margin = 6
        top, bottom = rows[0] + margin * (rows[0] > 0), rows[-1] + 1 - margin * (rows[-1] + 1 < len(lit))
        left, right = (
            columns[0] + margin * (columns[0] > 0),
            columns[-1] + 1 - margin * (columns[-1] + 1 < lit.shape[1]),
        )
        inside[top:bottom, left:right] = 1
    return inside


class Occluder:
    """A disc of plain colour with a soft texture that crosses the face on a straight line, again and again."""

    PERIOD_S = 3.0
    CROSSING_S = 1.2

    def __init__(self, face_px: float, rng: np.random.Generator) -> None:
        self._face_px = face_px
        side = round(0.5 * face_px)
        rows, columns = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
        self._mask = np.clip((1 - np.hypot(rows, columns)) * side / 8, 0, 1).astype(np.float32)[..., None]
        grain = cv2.resize(rng.normal(0, 25, (7, 7, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
        self._patch = (rng.uniform(60, 200, 3) + grain).clip(0, 255).astype(np.float32)
        turn = rng.uniform(0, 2 * math.pi)
        self._way = np.array([math.cos(turn), math.sin(turn)])

    def place(self, face: Float64Array, time_s: float) -> Float64Array:
        """(3,) x, y and radius of the hidden part, nan if it is away; (2,) face: its middle; all in frame pixels."""
        phase = (time_s % self.PERIOD_S) / self.CROSSING_S
        if phase >= 1:
            return np.full(3, np.nan)
        centre = face + self._face_px * ((2 * phase - 1) * 1.1 * self._way + 0.1 * self._way[::-1])
        return np.array([*centre, len(self._mask) / 2])

    def draw(self, frame: NDArray[np.float32], place: Float64Array) -> None:
        """Cover a part of the frame, which is changed; place: from `place`."""
        if np.isnan(place[0]):
            return
        side = len(self._mask)
        left, top = np.round(place[:2] - side / 2).astype(int)
        height, width = frame.shape[:2]
        rows, columns = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
        if rows.stop > rows.start and columns.stop > columns.start:
            part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
            under = frame[rows, columns]
            under += self._mask[part] * (self._patch[part] - under)


def gain(times_s: Float64Array, depth: float, rng: np.random.Generator) -> Float64Array:
    """(T,) the light of each frame: two swells, and one lamp switched in the middle of the clip."""
    first, second = rng.uniform(0, 2 * math.pi, 2)
    swell = 0.6 * np.sin(2 * np.pi * 0.4 * times_s + first) + 0.3 * np.sin(2 * np.pi * 1.1 * times_s + second)
    lamp = 0.3 * (times_s > times_s[-1] / 2)
    light: Float64Array = 1 + depth * (swell + lamp)
    return light


def record(scene: FloatArray, light: float, noise: float, rng: np.random.Generator) -> ImageArray:
    """(h, w, 3) uint8: the scene in this light, with the sensor's noise."""
    lit = np.asarray(scene * light, np.float32)
    if noise:
        lit += np.float32(noise) * rng.standard_normal(lit.shape, np.float32)
    return np.asarray((lit + 0.5).clip(0, 255), np.uint8)

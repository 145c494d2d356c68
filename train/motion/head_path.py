"""Where a flat picture of a head is at each time: a card that moves and turns before a camera."""

# T frames

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float64Array: TypeAlias = NDArray[np.float64]
CAMERA_DISTANCE = 4.0
"""Face sizes from the camera to the card: what makes a turned card's near side larger than its far side."""
CALM_S = 1.0
"""The motion swells from rest during this time, so that a tracker starts on a still face."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadPath:
    """The card's place in each frame."""

    centre: Float64Array
    """(T, 2) x, y of the face's middle in face sizes, from the middle of the frame."""
    zoom: Float64Array
    """(T,) size of the face over its size at rest."""
    roll: Float64Array
    """(T,) radians, clockwise on the screen."""
    yaw: Float64Array
    """(T,) radians about the vertical axis."""
    pitch: Float64Array
    """(T,) radians about the horizontal axis."""

    def matrices(self, face_box: Float64Array, face_px: float, size: tuple[int, int]) -> Float64Array:
        """(T, 3, 3) homographies picture → frame.

        face_box: (4,) xyxy of the face in the picture. face_px: its larger side in the frame at rest, pixels.
        size: width and height of the frame.
        """
        left, top, right, bottom = face_box
        side = max(right - left, bottom - top)
        # picture pixels → face sizes from the face's middle
        inward = np.array([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2], [0, 0, side]]) / side
        middle = (np.array(size) - 1) / 2
        homographies = []
        for (x, y), zoom, *angles in zip(self.centre, self.zoom, self.roll, self.yaw, self.pitch, strict=True):
            turn = rotation(*angles)
            # a card point (X, Y) at depth Z(X, Y) is seen at (X, Y) · D / (D + Z)
            depth = np.array([turn[2, 0], turn[2, 1], CAMERA_DISTANCE]) / CAMERA_DISTANCE
            card = np.stack([[turn[0, 0], turn[0, 1], 0], [turn[1, 0], turn[1, 1], 0], depth])
            scale = face_px * zoom
            outward = np.array([[scale, 0, middle[0] + face_px * x], [0, scale, middle[1] + face_px * y], [0, 0, 1]])
            homographies.append(outward @ card @ inward)
        return np.array(homographies)


def rotation(roll: float, yaw: float, pitch: float) -> Float64Array:
    """(3, 3): pitch, then yaw, then roll; x to the right, y down, z away from the camera."""
    (cr, sr), (cy, sy), (cp, sp) = ((math.cos(angle), math.sin(angle)) for angle in (roll, yaw, pitch))
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turn: Float64Array = about_z @ about_y @ about_x
    return turn


def project(matrix: Float64Array, points: Float64Array) -> Float64Array:
    """(..., 2) points through a (3, 3) homography."""
    far = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return far[..., :2] / far[..., 2:]


MakePath: TypeAlias = Callable[[Float64Array, np.random.Generator], HeadPath]
"""(T,) times in seconds and chance → path."""


def still(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
    """A head that does not move, somewhere near the middle and a little turned."""
    zero = np.zeros(len(times_s))
    place = np.tile(rng.uniform(-0.2, 0.2, 2), (len(times_s), 1))
    return HeadPath(place, zero + 1, zero + rng.uniform(-0.1, 0.1), zero, zero)


def random_motion(speed: float) -> MakePath:
    """A head that sways, zooms, rolls and turns; speed: RMS of its middle's speed, face sizes per second."""

    def path(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
        # the faster, the higher the pitch of the sines; the face stays within 0.35 sizes of the middle
        hertz = min(1.2, max(0.15, speed / 1.6))
        swell = smooth_step(times_s / CALM_S)
        reach = speed / (2 * math.pi * hertz)
        waves = [swell * _sines(times_s, hertz, rng) for _ in range(6)]
        centre = np.stack([reach * waves[0], 0.6 * reach * waves[1]], axis=-1)
        amplitude = min(1.0, speed)
        return HeadPath(
            centre,
            np.exp(0.12 * amplitude * waves[2]),
            (0.03 + 0.12 * amplitude) * waves[3],
            (0.05 + 0.2 * amplitude) * waves[4],
            (0.03 + 0.1 * amplitude) * waves[5],
        )

    return path


def head_shake(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
    """A head that is shaken: two turns to each side in a second, again and again with rests."""
    zero = np.zeros(len(times_s))
    hertz = rng.uniform(1.6, 2.2)
    active = smooth_step(times_s / CALM_S) * (0.5 + 0.5 * np.tanh(6 * np.sin(2 * np.pi * 0.35 * times_s)))
    turn = active * np.sin(2 * np.pi * hertz * times_s)
    return HeadPath(np.stack([0.12 * turn, zero], -1), zero + 1, 0.03 * turn, 0.35 * turn, zero)


def head_turn(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
    """A head that looks over either shoulder, 80° to each side and back in four seconds, and nods on the way."""
    zero = np.zeros(len(times_s))
    swell, side = smooth_step(times_s / CALM_S), rng.choice([-1, 1])
    turn = swell * np.sin(2 * np.pi * 0.25 * (times_s - CALM_S / 2))
    nod = swell * np.sin(2 * np.pi * 0.4 * times_s + rng.uniform(0, 2 * np.pi))
    return HeadPath(np.stack([zero, zero], -1), zero + 1, zero, side * math.radians(80) * turn, 0.15 * nod)


def approach(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
    """A head that comes near and goes away, by a factor of 2.2 in two seconds."""
    zero = np.zeros(len(times_s))
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * times_s.clip(0.5) / 4 - np.pi / 4)
    drift = np.stack([0.15 * wave, 0.08 * wave], -1) * rng.choice([-1, 1], 2)
    return HeadPath(drift, 0.62 * np.exp(math.log(2.2) * wave), zero, zero, zero)


def jumps(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
    """A still head that is elsewhere by 0.03 to 0.2 face sizes from one frame to the next, about every second."""
    zero = np.zeros(len(times_s))
    steps = np.floor(times_s / 0.9 + 1e-9).astype(int)
    lengths = rng.choice([0.03, 0.07, 0.12, 0.2], steps.max() + 1)
    turns = rng.uniform(0, 2 * np.pi, steps.max() + 1)
    steps_away = (lengths * np.array([np.cos(turns), np.sin(turns)])).T
    # from the middle and back, so that the face stays in the picture
    places = np.where(np.arange(len(steps_away))[:, None] % 2 == 1, steps_away, 0.0)
    return HeadPath(places[steps], zero + 1, zero, zero, zero)


def smooth_step(x: Float64Array) -> Float64Array:
    """0 below 0, 1 above 1, with no jump in velocity or acceleration between."""
    x = np.clip(x, 0.0, 1.0)
    step: Float64Array = x**3 * (10 - 15 * x + 6 * x**2)
    return step


def _sines(times_s: Float64Array, hertz: float, rng: np.random.Generator) -> Float64Array:
    """(T,) a sine of about this frequency and a weaker, faster one; RMS speed that of a sine of amplitude 1.4."""
    first, second = rng.uniform(0, 2 * np.pi, 2)
    slow = np.sin(2 * np.pi * hertz * rng.uniform(0.8, 1.1) * times_s + first)
    fast = np.sin(2 * np.pi * hertz * rng.uniform(1.7, 2.3) * times_s + second)
    wave: Float64Array = 1.1 * slow + 0.35 * fast
    return wave

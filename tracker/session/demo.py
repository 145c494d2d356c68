"""A clip whose motion is known: a public-domain portrait under a moving camera, and how far landmarks stray from it.

The face itself is rigid, so every movement of a landmark on the portrait is the tracker's error: ground truth for free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.errors import install_line
from startrack.tracker.crop import Affine, crop_affine, invert_affine, transform_points
from startrack.tracker.metrics.stability import lag_frames
from startrack.tracker.schemes import IBUG_68, LandmarkScheme
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.write import write_h264

FACE_CENTRE = (224.0, 128.0)
"""Centre of the astronaut's face on the portrait, pixels."""
CALM_S = 2.0
"""The motion swells from rest during this time and comes to rest again at the end, so that the clip can be looped."""
MAX_LAG = 10
"""Frames."""
VIEW = 300.0
"""Portrait pixels that the picture's height shows at rest."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownMotion:
    """The motion of a demo clip's camera."""

    affines: NDArray[np.float64]
    """(T, 2, 3), portrait pixels → frame pixels, one for each frame."""
    fps: float


@dataclass(frozen=True, slots=True)
class MotionError:
    """How far landmarks stray from the known motion, each from its own median place on the portrait."""

    mean_percent: float
    """Mean distance in % of the inter-ocular distance; nan if no frame was tracked."""
    p95_percent: float
    lag_frames: float
    """How many frames the landmarks trail behind the motion, below 0 they run ahead; nan for a short or still clip."""
    missed_frames: int
    """Frames without landmarks."""

    def to_text(self) -> str:
        """One line for a person."""
        if math.isnan(self.mean_percent):
            return f"distance from the known motion: unknown, no face in any of {self.missed_frames} frames"
        lag = "" if math.isnan(self.lag_frames) else f"lag {self.lag_frames:.2f} frames, "
        return (
            f"distance from the known motion: {self.mean_percent:.2f} % of the inter-ocular distance on average, "
            f"95 % of all points within {self.p95_percent:.2f} %, {lag}{self.missed_frames} frames without the face"
        )


def make_demo_clip(
    path: Path, *, seconds: float = 8.0, fps: int = 30, size: tuple[int, int] = (1280, 720)
) -> KnownMotion:
    """Write the clip as H.264 and return its motion; the same arguments give the same clip.

    size: width and height in pixels, both even. Raises SourceError without scikit-image, SinkError where `path` cannot
    be written, ValueError for an odd size or less than one frame.
    """
    width, height = size
    count = round(seconds * fps)
    if width % 2 or height % 2 or count < 1:
        raise ValueError(f"{width}×{height}, {count} frames: an even size and at least one frame expected")
    motion = camera_motion(count, fps, size)
    scenery, corner = _scenery(_portrait())
    # scenery pixels → portrait pixels → frame pixels
    affines = motion.affines.copy()
    affines[:, :, 2] += affines[:, :, :2] @ corner
    write_h264(path, (_look(scenery, affine, size) for affine in affines), fps=fps, size=size)
    return motion


def camera_motion(count: int, fps: float, size: tuple[int, int]) -> KnownMotion:
    """Pan, zoom and roll of `count` frames of `size` (width, height): sums of slow sines, from rest to rest."""
    width, height = size
    affines = []
    for time_s in np.arange(count) / fps:
        swell = _smooth_step(time_s / CALM_S) * _smooth_step((count / fps - time_s) / CALM_S)
        pan_x = swell * 0.27 * _sines(time_s, (0.25, 0.51), (-0.5, 1.1))
        pan_y = swell * 0.10 * _sines(time_s, (0.31, 0.57), (0.9, 0.2))
        zoom = math.exp(swell * 0.36 * _sines(time_s, (0.17, 0.39), (-1.2, 0.4)))
        roll = swell * math.radians(13) * _sines(time_s, (0.22, 0.47), (0.5, -1.0))
        side = VIEW / zoom
        centre = np.array(FACE_CENTRE) + side * np.array([pan_x, pan_y + 0.04])
        upright = crop_affine(Roi(centre, side, roll), height)
        upright[0, 2] += (width - height) / 2
        affines.append(upright)
    return KnownMotion(np.array(affines), float(fps))


def read_points(jsonl: Path) -> NDArray[np.float64]:
    """(T, K, 2) landmarks of the first face in each frame that a JsonlSink recorded; nan where there is none."""
    frames = [frame.faces[0].landmarks.points if frame.faces else None for frame in read_jsonl(jsonl)]
    nothing = np.full_like(next((points for points in frames if points is not None), np.zeros((1, 2))), np.nan)
    return np.array([nothing if points is None else points for points in frames], np.float64)


def motion_error(points_TK2: FloatArray, motion: KnownMotion, scheme: LandmarkScheme = IBUG_68) -> MotionError:
    """Carry tracked landmarks back to the portrait and measure how much they move there.

    points_TK2: (T, K, 2) frame pixels, nan in frames without the face. T may fall short of the motion's; the frames
    that lack count as missed. Raises ValueError for more frames than the motion has, and without eye corners.
    """
    count = len(motion.affines)
    if scheme.inter_ocular is None:
        raise ValueError(f"{scheme.name}: eye corners are what distances are measured by")
    if len(points_TK2) > count:
        raise ValueError(f"{len(points_TK2)} frames of landmarks, but the clip has {count}")
    seen = np.flatnonzero(np.isfinite(points_TK2).all(axis=(1, 2)))
    missed = count - len(seen)
    if not len(seen):
        return MotionError(math.nan, math.nan, math.nan, missed)
    still = np.array([transform_points(invert_affine(motion.affines[t]), points_TK2[t]) for t in seen])
    middle = np.median(still, axis=0)
    first, second = scheme.inter_ocular
    unit = float(np.linalg.norm(middle[second] - middle[first])) / 100
    distance = np.linalg.norm(still - middle, axis=-1) / unit
    return MotionError(
        float(distance.mean()), float(np.percentile(distance, 95)), _lag(points_TK2, motion, middle, seen), missed
    )


def _lag(points_TK2: FloatArray, motion: KnownMotion, middle: NDArray[np.float64], seen: NDArray[np.intp]) -> float:
    """Delay behind the motion, over the longest stretch without a miss; nan where that is short or does not move."""
    run = max(np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1), key=len)
    truth = np.array([transform_points(motion.affines[t], middle) for t in run])
    if len(run) < 2 * MAX_LAG + 4 or not np.ptp(truth, axis=0).any():
        return math.nan
    return lag_frames(points_TK2[run], truth, max_lag=MAX_LAG)


def _sines(time_s: float, cycles_per_s: tuple[float, float], phases: tuple[float, float]) -> float:
    """A slow sine and a faster weaker one, within ±1."""
    slow, fast = (math.sin(2 * math.pi * f * time_s + p) for f, p in zip(cycles_per_s, phases, strict=True))
    return 0.7 * slow + 0.3 * fast


def _smooth_step(x: float) -> float:
    """0 below 0, 1 above 1, with no jump in velocity or acceleration between."""
    x = min(max(x, 0.0), 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


def _portrait() -> ImageArray:
    """(512, 512, 3) RGB: the astronaut Eileen Collins, NASA, public domain."""
    try:
        from skimage import data
    except ImportError as error:
        raise SourceError(f"the demo's portrait comes with scikit-image: {install_line('demo')}") from error
    pictures: Any = data  # its functions carry no types
    return np.asarray(pictures.astronaut(), np.uint8)


def _scenery(portrait: ImageArray) -> tuple[ImageArray, NDArray[np.float64]]:
    """The portrait fading into a blur of itself on all sides, and where the scenery's corner lies on the portrait."""
    border, fade = portrait.shape[0] // 2, 60
    # mirrored to the sides, which goes on like a room out of focus; not upwards, where it would be a second head
    wide = cv2.copyMakeBorder(portrait, 0, 0, border, border, cv2.BORDER_REFLECT_101)
    wide = cv2.copyMakeBorder(wide, border, border, 0, 0, cv2.BORDER_REPLICATE)
    small = cv2.resize(wide, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    blur = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), wide.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    ramp = np.minimum(np.arange(len(wide)) - border, len(wide) - border - 1 - np.arange(len(wide))) / fade
    ramp = np.array([_smooth_step(value) for value in ramp], np.float32)
    weight = ramp[None] * np.minimum(1, ramp * 4)[:, None]  # the top of the head stays sharp
    corner = np.array([-border, -border], np.float64)
    return np.asarray(cv2.blendLinear(wide, blur, weight, 1 - weight), np.uint8), corner


def _look(scenery: ImageArray, affine: Affine, size: tuple[int, int]) -> ImageArray:
    frame = cv2.warpAffine(scenery, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(frame, np.uint8)

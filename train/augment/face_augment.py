"""Picture and landmarks changed together: geometry as one affine, then the picture's texture.

The list of changes follows STAR's (specs: turn, scale, shift, occlusion, blur, gamma, noise, grey), with those added
that video brings: low resolution, compression, colour cast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import Affine, crop_affine, roi_from_landmarks, roi_from_points
from startrack.tracker.schemes import find_scheme
from startrack.tracker.types import FloatArray, ImageArray, Roi


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strength of each change; sigmas are of normal distributions cut at three sigmas, the rest are probabilities."""

    rotation_deg: float = 18.0
    log_scale: float = 0.12
    shift: float = 0.05
    """Of the ROI's side, per axis."""
    log_aspect: float = 0.06
    shear: float = 0.06
    flip: float = 0.5
    occlusion: float = 0.35
    blur: float = 0.25
    low_resolution: float = 0.15
    gamma: float = 0.3
    colour: float = 0.4
    noise: float = 0.2
    grey: float = 0.15
    compression: float = 0.15
    upright: float = 0.0
    """Chance that the square is turned upright by the eyes, as the tracker's are, before all else."""

    def draw(self, rng: np.random.Generator) -> Augmentation:
        """The changes of one sample: always these, without a draw. A Mixture has several."""
        return self


@dataclass(frozen=True, slots=True)
class Mixture:
    """Samples of several kinds, each changed in a way of its own."""

    parts: tuple[tuple[float, Augmentation], ...]
    """Shares, which add up to 1, and the change of so many of the samples."""

    def __post_init__(self) -> None:
        shares = [share for share, _ in self.parts]
        if min(shares, default=-1.0) < 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError(f"shares of samples {shares}; expected some of at least 0 that add up to 1")

    def draw(self, rng: np.random.Generator) -> Augmentation:
        """The changes of one sample."""
        chosen = np.searchsorted(np.cumsum([share for share, _ in self.parts]), rng.random(), side="right")
        return self.parts[min(int(chosen), len(self.parts) - 1)][1]


def face_square(landmarks: FloatArray, spec: ModelSpec, augmentation: Augmentation, rng: np.random.Generator) -> Roi:
    """The square around a face that random_affine varies: along the picture's axes as an evaluation cuts it, or turned
    upright as the tracker does. landmarks: (K, 2) pixels of the picture."""
    # no draw where nothing is to be drawn: trainings of one kind stay unchanged
    if augmentation.upright and rng.random() < augmentation.upright:
        return roi_from_landmarks(landmarks, find_scheme(spec.scheme), spec.crop_scale)
    return roi_from_points(landmarks, spec.crop_scale)


def random_affine(roi: Roi, size: int, augmentation: Augmentation, rng: np.random.Generator) -> tuple[Affine, bool]:
    """An affine frame → crop near that of the ROI, and whether it mirrors the picture (then flip the landmarks)."""

    def normal(sigma: float) -> float:
        return sigma * float(np.clip(rng.standard_normal(), -3, 3))

    shift = np.array([normal(augmentation.shift), normal(augmentation.shift)]) * roi.side
    varied = Roi(
        centre=np.asarray(roi.centre, np.float64) + shift,
        side=roi.side * math.exp(normal(augmentation.log_scale)),
        angle_rad=roi.angle_rad + math.radians(normal(augmentation.rotation_deg)),
    )
    affine = crop_affine(varied, size)
    stretch = math.exp(normal(augmentation.log_aspect))
    change = np.array([[stretch, normal(augmentation.shear)], [0.0, 1 / stretch]])
    mirrored = bool(rng.random() < augmentation.flip)
    if mirrored:
        change = change @ np.diag([-1.0, 1.0])
    middle = (size - 1) / 2
    linear = change @ affine[:, :2]
    return np.column_stack([linear, change @ (affine[:, 2] - middle) + middle]), mirrored


def change_texture(crop: ImageArray, augmentation: Augmentation, rng: np.random.Generator) -> ImageArray:
    """A changed copy of an (S, S, 3) uint8 RGB crop; nothing moves."""
    chance = rng.random(8)
    picture = crop
    if chance[0] < augmentation.occlusion:
        picture = _occlude(picture, rng)
    if chance[1] < augmentation.low_resolution:
        picture = _lower_resolution(picture, rng)
    if chance[2] < augmentation.blur:
        picture = _blur(picture, rng)
    if chance[3] < augmentation.gamma or chance[4] < augmentation.colour:
        picture = cv2.LUT(picture, _tone_curves(chance[3] < augmentation.gamma, chance[4] < augmentation.colour, rng))  # type: ignore[assignment]
    if chance[5] < augmentation.grey:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if chance[6] < augmentation.noise:
        picture = _add_noise(picture, rng)
    if chance[7] < augmentation.compression:
        quality = int(rng.integers(15, 60))
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return picture


def _occlude(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Hide a turned rectangle or ellipse behind black, one colour, noise or another part of the crop."""
    size = crop.shape[0]
    centre = rng.uniform(0, size, 2)
    axes = rng.uniform(0.08, 0.3, 2) * size
    angle = float(rng.uniform(0, 180))
    mask = np.zeros((size, size), np.uint8)
    if rng.random() < 0.5:
        corners = cv2.boxPoints((tuple(centre), tuple(2 * axes), angle)).astype(np.int32)
        cv2.fillConvexPoly(mask, corners, 1)
    else:
        cv2.ellipse(mask, (tuple(centre), tuple(2 * axes), angle), 1, -1)
    match int(rng.integers(4)):
        case 0:
            cover = np.zeros_like(crop)
        case 1:
            cover = np.empty_like(crop)
            cover[:] = rng.integers(0, 256, 3)
        case 2:
            cover = rng.integers(0, 256, crop.shape, dtype=np.uint8)
        case _:
            cover = np.roll(crop, tuple(int(v) for v in rng.integers(size // 4, 3 * size // 4, 2)), axis=(0, 1))
    return np.where(mask[..., None] > 0, cover, crop)


def _lower_resolution(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    size = crop.shape[0]
    small = max(8, int(size * rng.uniform(0.18, 0.6)))
    shrunk = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _blur(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Out of focus (Gaussian) or moving (a line)."""
    size = crop.shape[0]
    if rng.random() < 0.6:
        return cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 2.2)) * size / 128)  # type: ignore[return-value]
    length = int(rng.integers(3, 10)) * size // 128 | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    kernel /= max(float(kernel.sum()), 1e-6)
    return cv2.filter2D(crop, -1, kernel)  # type: ignore[return-value]


def _tone_curves(gamma: bool, colour: bool, rng: np.random.Generator) -> ImageArray:
    """(1, 256, 3) look-up table: gamma on all channels, gain and offset with a cast per channel."""
    values = np.linspace(0, 1, 256)[:, None].repeat(3, axis=1)
    if gamma:
        values = values ** math.exp(rng.uniform(-1.1, 1.1))
    if colour:
        gain = math.exp(rng.uniform(-0.35, 0.35)) * np.exp(rng.normal(0, 0.08, 3))
        values = (values - 0.5) * gain + 0.5 + rng.uniform(-0.15, 0.15)
    return (values.clip(0, 1) * 255).astype(np.uint8)[None]


def _add_noise(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    sigma = rng.uniform(3, 22)
    noise = rng.standard_normal(crop.shape, dtype=np.float32) * sigma
    return (crop + noise).clip(0, 255).astype(np.uint8)

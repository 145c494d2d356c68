"""The changes of picture and landmarks that STAR is trained with, in their order; every random number is an argument.

Mirror, then one warp by turn, scale and shift, then the crop's texture. Labels follow mirror and warp alone. [DIFF] The
published recipe lists a turn of 18°, 10 % scale, 5 % shift, 20 % grey, 30 % blur, 40 % occlusion and 50 % mirror. In
the code the first three are sigmas of normal distributions without bounds, and gamma and noise come on top, 20 % each.

[TRAP] The STAR code draws turn, scale and shift from numpy's global generator, which PyTorch before 1.9 left in the
same state in every worker and epoch; published weights were probably trained with that repetition. Not repeated here.
"""

# K landmarks, S side of the crop

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import COFW_29, LandmarkScheme
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.sets.star_crop import Float32Array, Matrix, crop_matrix, cut_star_crop, frame_to_crop


@dataclass(frozen=True, slots=True)
class StarAugmentation:
    """Sigmas of the geometry, probabilities of the rest."""

    rotation_rad: float = math.radians(18)
    scale: float = 0.1
    shift: float = 0.05
    """Of the crop's side less one pixel, per axis."""
    mirror: float = 0.5
    occlusion: float = 0.4
    blur: float = 0.3
    gamma: float = 0.2
    noise: float = 0.2
    grey: float = 0.2


class AugmentedCrop(NamedTuple):
    """A crop and the landmarks in it."""

    crop: ImageArray
    """(S, S, 3) uint8, channels as in the picture."""
    landmarks: Float32Array
    """(K, 2) crop pixels; may lie outside."""


def augment(
    image: ImageArray,
    landmarks_K2: FloatArray,
    roi: Roi,
    scheme: LandmarkScheme,
    *,
    augmentation: StarAugmentation,
    rng: np.random.Generator,
) -> AugmentedCrop:
    """One random variation of a face. image: (H, W, 3) BGR; landmarks and ROI in its pixels, COFW's counted from 1."""
    if rng.random() < augmentation.mirror:
        image, landmarks_K2, roi = mirror(image, landmarks_K2, roi, scheme)
    return vary(image, landmarks_K2, roi, augmentation=augmentation, rng=rng)


def vary(
    image: ImageArray,
    landmarks_K2: FloatArray,
    roi: Roi,
    *,
    augmentation: StarAugmentation,
    rng: np.random.Generator,
    size: int = 256,
) -> AugmentedCrop:
    """What follows the mirror: one warp to a size × size crop, then its texture."""
    shift = rng.normal(0, augmentation.shift, 2)
    angle_rad, scale = rng.normal(0, augmentation.rotation_rad), rng.normal(1, augmentation.scale)
    matrix = geometry_matrix(shift, angle_rad, scale, size) @ crop_matrix(roi, size)
    crop = change_texture(cut_star_crop(image, matrix, size), augmentation, rng)
    return AugmentedCrop(crop, frame_to_crop(matrix, landmarks_K2))


def mirror(
    image: ImageArray, landmarks_K2: FloatArray, roi: Roi, scheme: LandmarkScheme, *, official: bool = True
) -> tuple[ImageArray, FloatArray, Roi]:
    """Picture, landmarks and ROI with left and right changed; its own inverse.

    [TRAP] In the STAR code COFW's coordinates count from 1 and are mirrored by W - x, where W + 1 - x would be right:
    landmarks and ROI of a mirrored picture lie a pixel too far left. Kept if official; otherwise pixels count from 0.
    """
    width = image.shape[1] if official and scheme is COFW_29 else image.shape[1] - 1
    mirrored = np.column_stack([width - landmarks_K2[:, 0], landmarks_K2[:, 1]])[scheme.flip_order]
    centre = np.array([width - roi.centre[0], roi.centre[1]])
    return cv2.flip(image, 1), mirrored, Roi(centre, roi.side, -roi.angle_rad)  # type: ignore[return-value]


def geometry_matrix(shift_2: NDArray[np.float64], angle_rad: float, scale: float, size: int = 256) -> Matrix:
    """(3, 3) crop → crop: turned and scaled about its middle, then shifted by shift · (size - 1) pixels."""
    cos, sin = scale * math.cos(angle_rad), scale * math.sin(angle_rad)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (size - 1) / 2)
    offset = middle - linear @ middle + np.asarray(shift_2) * (size - 1)
    return np.vstack([np.column_stack([linear, offset]), [0, 0, 1]]).astype(np.float32)


def change_texture(crop: ImageArray, augmentation: StarAugmentation, rng: np.random.Generator) -> ImageArray:
    """Each change by its own chance, in the order of the STAR code; nothing moves."""
    if rng.random() < augmentation.occlusion:
        crop = occlude(crop, rng.random(4))
    if rng.random() < augmentation.blur:
        crop = blur(crop, rng.random())
    if rng.random() < augmentation.gamma:
        crop = change_gamma(crop, rng.random(2))
    if rng.random() < augmentation.noise:
        crop = blend_noise(crop, 0.5 * rng.random(), rng.integers(0, 256, crop.shape, np.uint8))
    if rng.random() < augmentation.grey:
        crop = grey(crop)
    return crop


def occlude(crop: ImageArray, draws_4: NDArray[np.float64]) -> ImageArray:
    """A black rectangle: height 0.2 to 0.8 of half the crop, width within 0.2 of that, its centre anywhere.

    draws: height, width, centre's x and y, each 0..1.
    """
    size = crop.shape[0]
    height = 0.2 + (0.8 - 0.2) * draws_4[0]
    width = height - 0.2 + 0.4 * draws_4[1]
    half_x, half_y = int(size / 2 * width) // 2, int(size / 2 * height) // 2
    x, y = int((size - 1) * draws_4[2]), int((size - 1) * draws_4[3])
    covered = crop.copy()
    covered[max(0, y - half_y) : y + half_y + 1, max(0, x - half_x) : x + half_x + 1] = 0
    return covered


def blur(crop: ImageArray, draw: float) -> ImageArray:
    """A box filter of 0 to 5 % of the crop's side; even sides, which move the picture by half a pixel, included."""
    side = int(crop.shape[0] * 0.05 * draw)
    return cv2.blur(crop, (side, side)) if side > 1 else crop  # type: ignore[return-value]


def change_gamma(crop: ImageArray, draws_2: NDArray[np.float64]) -> ImageArray:
    """Brighter with an exponent of 0.25 to 1 (first draw below ½) or darker with 1 to 4, evenly (second draw)."""
    low, high = (0.25, 1.0) if draws_2[0] < 0.5 else (1.0, 4.0)
    exponent = low + (high - low) * draws_2[1]
    curve = ((np.arange(256) / 255) ** exponent * 255).astype(np.uint8)
    return cv2.LUT(crop, curve)  # type: ignore[return-value]


def blend_noise(crop: ImageArray, share: float, noise: ImageArray) -> ImageArray:
    """(1 - share) of the crop and share of the noise, an array like the crop of even random bytes."""
    # cv2 makes the sum in one array: numpy's three cost four times as much
    return cv2.addWeighted(crop, 1 - share, noise, share, 0, dtype=cv2.CV_64F).astype(np.uint8)


def grey(crop: ImageArray) -> ImageArray:
    """Three equal channels. [TRAP] The weights of RGB on BGR pictures: 0.299 blue, 0.587 green, 0.114 red."""
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)

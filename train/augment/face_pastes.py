"""Faces with known landmarks, cut out along a soft ellipse and pasted onto another picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import crop_affine, cut_crop, eye_angle, roi_from_points, transform_points
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.augment.face_augment import Augmentation, change_texture
from startrack.train.sets.sample import Sample

STORED_SIDE = 160
"""Larger faces are shrunk to this side in pixels when they are read."""
PATCH_SIDES = 2.0
"""Side of the patch around a pasted face, in sides of the face."""
PATCH_TEXTURE = Augmentation(
    occlusion=0.2, blur=0.25, low_resolution=0.1, gamma=0.3, colour=0.4, noise=0.0, grey=0.05, compression=0.0
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """A face in its surroundings."""

    image: ImageArray
    landmarks: FloatArray
    """(68, 2) pixels of image."""

    @property
    def angle_rad(self) -> float:
        """Direction from the face's own right eye to its left."""
        left, right = (self.landmarks[list(side)].mean(axis=0) for side in (IBUG_68.left_eye, IBUG_68.right_eye))
        return eye_angle(left, right)

    def square(self) -> NDArray[np.float64]:
        """(3,) centre x, y, side of the face's box, pixels of image."""
        roi = roi_from_points(self.landmarks, 1.0, self.angle_rad)
        return np.array([*roi.centre, roi.side])

    def eyes(self) -> NDArray[np.float64]:
        """(2, 2) the face's own right eye, then its left, pixels of image."""
        return np.stack([self.landmarks[list(side)].mean(axis=0) for side in (IBUG_68.left_eye, IBUG_68.right_eye)])


def store_faces(samples: Sequence[Sample]) -> list[StoredFace]:
    """Read the faces, averaged down where they are large. Raises DatasetError for an unreadable picture."""
    return [_store(sample) for sample in samples]


def _store(sample: Sample) -> StoredFace:
    image = sample.read_image()
    zoom = STORED_SIDE / roi_from_points(sample.landmarks, 1.0).side
    if zoom >= 1:
        return StoredFace(image, sample.landmarks)
    size = (round(image.shape[1] * zoom), round(image.shape[0] * zoom))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    exact = np.array(size) / np.array([image.shape[1], image.shape[0]])
    return StoredFace(small, (sample.landmarks + 0.5) * exact - 0.5)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where a face came to lie in a picture, in its pixels."""

    square: FloatArray
    """(3,)."""
    eyes: FloatArray
    """(2, 2) the face's own right eye, then its left."""


def paste_face(
    picture: ImageArray, face: StoredFace, target: FloatArray, angle_rad: float, rng: np.random.Generator
) -> Placed:
    """Draw a face into `picture` (changed in place), its box over the square `target` (3,), turned to angle_rad.

    The face may be mirrored, and is blurred, recoloured and partly hidden at random.
    """
    x, y, side = (float(value) for value in target)
    source = face.square()
    size = max(math.ceil(side * PATCH_SIDES), 8)
    roi = Roi(source[:2], source[2] * size / side, face.angle_rad - angle_rad)
    affine = crop_affine(roi, size)
    if mirrored := bool(rng.random() < 0.5):
        # about the face's own axis, so that it keeps the asked direction
        cos, sin = math.cos(2 * angle_rad), math.sin(2 * angle_rad)
        flip = np.array([[-cos, -sin], [-sin, cos]])
        middle = (size - 1) / 2
        affine = np.column_stack([flip @ affine[:, :2], flip @ (affine[:, 2] - middle) + middle])
    patch = change_texture(cut_crop(face.image, affine, size), PATCH_TEXTURE, rng)
    left, top = round(x - (size - 1) / 2), round(y - (size - 1) / 2)
    blend(picture, patch, (left, top), soft_ellipse(size, angle_rad, rng))
    square = np.array([left + (size - 1) / 2, top + (size - 1) / 2, side])
    eyes = transform_points(affine, face.eyes()) + np.array([left, top])
    return Placed(square, eyes[::-1] if mirrored else eyes)


def soft_ellipse(size: int, angle_rad: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(size, size) 0..1: an upright ellipse around a face of half the size, turned with it, its edge soft or hard."""
    half = size / 2
    # half axes in sides of the face: the cheeks at least, the hair at most
    across, along, up = rng.uniform(0.55, 0.85), rng.uniform(0.62, 0.9), rng.uniform(0.0, 0.12)
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    y, x = (np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2) / half
    u, v = cos * x + sin * y, -sin * x + cos * y + up
    # a higher power squares the ellipse off
    power = float(rng.choice([2.0, 2.0, 4.0, 8.0]))
    radius = (np.abs(u / across) ** power + np.abs(v / along) ** power) ** (1 / power)
    edge = rng.uniform(0.02, 0.25)
    alpha: NDArray[np.float32] = ((1 - radius) / edge + 0.5).clip(0, 1).astype(np.float32)
    return alpha


def blend(picture: ImageArray, patch: ImageArray, corner: tuple[int, int], alpha: NDArray[np.float32]) -> None:
    """Draw `patch` with its upper left pixel at `corner` (x, y), in place; what leaves the picture is cut off."""
    left, top = corner
    height, width = picture.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + patch.shape[1], width), min(top + patch.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    below = picture[y0:y1, x0:x1]
    share = alpha[part][..., None]
    picture[y0:y1, x0:x1] = (below + share * (patch[part].astype(np.float32) - below)).astype(np.uint8)

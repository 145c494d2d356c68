"""Two views of each face, as two frames of a video would show it: for a network whose readings do not tremble."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from startrack.tracker.crop import Affine, transform_points
from startrack.tracker.types import ImageArray
from startrack.train.feed.dataset import FaceBatch, ItemKey

SHIFT, LOG_SCALE, TURN_DEG = 0.008, 0.01, 0.7
"""Standard deviations of a followed face's crops, in sides and degrees (train/recipes/compact.py)."""
NOISE = 6.0
"""Most grey levels, standard deviation, of the second view's own noise."""


class TwoViews(NamedTuple):
    """Items of two views each; one item has no leading B."""

    crops: Tensor
    """(B, 2, S, S, 3) uint8 in the model's colour order."""
    landmarks: Tensor
    """(B, 2, K, 2) float32 crop pixels of each view, as in FaceBatch."""
    presence: Tensor
    """(B,) float32, 1 for a face."""
    weight: Tensor
    """(B,) float32, of the landmarks."""
    motion: Tensor
    """(B, 2, 3) float32 affine, from pixels of the first view to those of the second."""

    def as_faces(self) -> FaceBatch:
        """2 B faces: both views of the first item, then of the second and so on."""
        presence, weight = self.presence.repeat_interleave(2), self.weight.repeat_interleave(2)
        return FaceBatch(self.crops.flatten(0, 1), self.landmarks.flatten(0, 1), presence, weight)


class FacesSeenTwice(Dataset[TwoViews]):
    """Each crop of a data set, and the same moved a little, as a followed face's next crop is, with noise and
    compression of its own.

    The second is drawn from the first, so that all changes of the first, an occluder too, move with the face."""

    def __init__(self, faces: Dataset[FaceBatch], seed: int) -> None:
        self.faces = faces
        self.seed = seed

    def __len__(self) -> int:
        return len(self.faces)  # type: ignore[arg-type]

    def __getitem__(self, key: ItemKey) -> TwoViews:
        face = self.faces[key]
        # a third number, so that these draws are not those of the first view
        rng = np.random.default_rng((self.seed, key.epoch, key.item, 2))
        crop = face.crops.numpy()
        motion = small_motion(crop.shape[0], rng)
        moved = transform_points(motion, face.landmarks.numpy()) * float(face.presence)
        return TwoViews(
            crops=torch.stack([face.crops, torch.from_numpy(next_frame(crop, motion, rng))]),
            landmarks=torch.stack([face.landmarks, torch.from_numpy(moved.astype(np.float32))]),
            presence=face.presence,
            weight=face.weight,
            motion=torch.from_numpy(motion.astype(np.float32)),
        )


def small_motion(size: int, rng: np.random.Generator) -> Affine:
    """(2, 3) affine about the middle of a crop of `size` pixels, as between two crops of a followed face."""
    turn, log_scale, *shift = np.clip(rng.standard_normal(4), -3, 3) * (
        math.radians(TURN_DEG),
        LOG_SCALE,
        SHIFT * size,
        SHIFT * size,
    )
    cos, sin = math.exp(log_scale) * math.cos(turn), math.exp(log_scale) * math.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, middle + shift - linear @ middle])


def next_frame(crop: ImageArray, motion: Affine, rng: np.random.Generator) -> ImageArray:
    """The (S, S, 3) crop moved, with noise, and every second one compressed."""
    size = crop.shape[0]
    moved = cv2.warpAffine(crop, motion, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    noise = rng.standard_normal(crop.shape, dtype=np.float32) * rng.uniform(0, NOISE)
    picture = (moved + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(40, 95))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return picture

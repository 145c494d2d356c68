"""Two views of each face, as two frames of a video would show it: for a network whose readings do not tremble."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from startrack.tracker.crop import Affine
from startrack.tracker.types import ImageArray
from startrack.train.feed.dataset import FaceBatch, FaceDataset, ItemKey


class Motion(NamedTuple):
    """Standard deviations of normal distributions cut at three of them."""

    shift: float
    """Of the crop's side, per axis."""
    log_scale: float
    turn_deg: float


FOLLOWED = Motion(shift=0.008, log_scale=0.01, turn_deg=0.7)
"""Between two crops of a followed face (train/recipes/compact.py)."""
LOST = Motion(shift=0.08, log_scale=0.15, turn_deg=12.0)
"""To a crop that has lost a head which turns fast. Without such pairs a network learns to agree with itself by clinging
to its crop: on a clip of a head that turns it then drew the far side of the face onto the wall, five frames long."""
LOST_SHARE = 0.1
"""Of the pairs."""
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
    """Each crop of a data set, and one moved as a followed face's next crop is, or as one that has lost its face, with
    noise and compression of its own."""

    def __init__(self, faces: FaceDataset, seed: int) -> None:
        self.faces = faces
        self.seed = seed

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, key: ItemKey) -> TwoViews:
        # a third number, so that these draws are not those of the first view
        rng = np.random.default_rng((self.seed, key.epoch, key.item, 2))
        motion = moved(self.faces.spec.input_size, LOST if rng.random() < LOST_SHARE else FOLLOWED, rng)
        first, second = self.faces[key], self.faces.view(key, motion)
        crop = with_noise(second.crops.numpy(), rng)
        return TwoViews(
            crops=torch.stack([first.crops, torch.from_numpy(crop)]),
            landmarks=torch.stack([first.landmarks, second.landmarks]),
            presence=first.presence,
            weight=first.weight,
            motion=torch.from_numpy(motion.astype(np.float32)),
        )


def moved(size: int, motion: Motion, rng: np.random.Generator) -> Affine:
    """(2, 3) affine about the middle of a crop of `size` pixels."""
    draws = np.clip(rng.standard_normal(4), -3, 3)
    turn, scale = math.radians(motion.turn_deg) * draws[0], math.exp(motion.log_scale * draws[1])
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, middle + motion.shift * size * draws[2:] - linear @ middle])


def with_noise(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """The (S, S, 3) crop with noise; every second one compressed."""
    noise = rng.standard_normal(crop.shape, dtype=np.float32) * rng.uniform(0, NOISE)
    picture = (crop + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(40, 95))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return picture

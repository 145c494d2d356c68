"""The input of a face detector: scenes with and without faces, their light and texture changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.detection_scenes import LEAST_VISIBLE, SceneMaker, visible_share
from startrack.train.augment.face_augment import Augmentation, change_texture
from startrack.train.augment.face_pastes import Placed, StoredFace
from startrack.train.augment.strong_light import StrongLight, change_light
from startrack.train.feed.dataset import ItemKey
from startrack.train.sets.backgrounds import Background
from startrack.train.sets.face_photos import FacePhoto

MAX_FACES = 24
MAX_IGNORED = 48
SMALLEST_SIDE = 11.0
"""Smaller faces, in pixels, are neither to be found nor wrong when found."""
PICTURE_TEXTURE = Augmentation(
    occlusion=0.0, blur=0.0, low_resolution=0.0, gamma=0.25, colour=0.35, noise=0.15, grey=0.1, compression=0.15
)
"""Without hiding or blurring whole pictures, which would wipe out small faces; pastes have their own changes."""


class PictureBatch(NamedTuple):
    """Pictures and their faces; one item has no leading B. (A NamedTuple, because torch collates those.)"""

    pictures: Tensor
    """(B, S, S, 3) uint8 RGB."""
    squares: Tensor
    """(B, MAX_FACES, 3) float32 centre x, y, side in pixels; side 0 where there is no further face."""
    eyes: Tensor
    """(B, MAX_FACES, 2, 2) float32 the face's own right eye, then its left; NaN where unknown."""
    ignored: Tensor
    """(B, MAX_IGNORED, 3) float32 squares where nothing is known; side 0 for none."""


class DetectionDataset(Dataset[PictureBatch]):
    """Random pictures for a detector. What item i of epoch e shows depends on (seed, e, i) alone."""

    def __init__(
        self,
        photos: Sequence[FacePhoto],
        cut_outs: Sequence[StoredFace],
        *,
        size: int,
        textures: Sequence[Background] = (),
        light: StrongLight | None = None,
        length: int = 4096,
        seed: int = 0,
    ) -> None:
        """cut_outs: faces to paste. size: side of the pictures. length: items that are called one epoch."""
        self.scenes = SceneMaker(photos, cut_outs, textures)
        self.size = size
        self.light = light or StrongLight()
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: ItemKey) -> PictureBatch:
        rng = np.random.default_rng((self.seed, key.epoch, key.item))
        draw, pastes = rng.random(), 0
        if draw < 0.56:
            scene = self.scenes.photo_part(self.size, rng)
            pastes = int(rng.integers(0, 2))
        elif draw < 0.67:
            scene = self.scenes.close_up(self.size, rng)
            pastes = int(rng.integers(0, 2))
        elif draw < 0.77:
            scene = self.scenes.group(self.size, rng)
        else:
            scene = self.scenes.background(self.size, rng)
            pastes = int(rng.integers(1, 6)) if draw < 0.88 else 0
        for _ in range(int(rng.integers(0, 3))):
            self.scenes.paste_nothing(scene, rng)
        for _ in range(pastes):
            self.scenes.paste(scene, rng)
        self.scenes.change_faces(scene, rng)
        picture = change_light(change_texture(scene.picture, PICTURE_TEXTURE, rng), self.light, rng)
        return to_item(scene.faces, scene.ignored, picture)


def to_item(faces: Sequence[Placed], ignored: Sequence[FloatArray], picture: ImageArray) -> PictureBatch:
    """Sort out the faces that cannot be asked for, and pad to fixed shapes."""
    size = picture.shape[0]
    squares, eyes = np.zeros((MAX_FACES, 3), np.float32), np.full((MAX_FACES, 2, 2), np.nan, np.float32)
    unknown = np.zeros((MAX_IGNORED, 3), np.float32)
    left_out = [square for square in ignored if visible_share(square, size) > 0]
    count = 0
    for face in faces:
        visible = visible_share(face.square, size)
        if visible >= LEAST_VISIBLE and face.square[2] >= SMALLEST_SIDE and count < MAX_FACES:
            squares[count], eyes[count] = face.square, face.eyes
            count += 1
        elif visible > 0:
            left_out.append(face.square)
    # the largest ones, if there are too many: they cover most cells
    for row, square in enumerate(sorted(left_out, key=lambda each: -each[2])[:MAX_IGNORED]):
        unknown[row] = square
    return PictureBatch(
        torch.from_numpy(np.ascontiguousarray(picture)), *(torch.from_numpy(part) for part in (squares, eyes, unknown))
    )

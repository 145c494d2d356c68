"""Sample → augment → crop → tensors: the input of a landmark network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import Affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.cut import cut_for, in_colour_order
from startrack.tracker.schemes import LandmarkScheme, find_scheme
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.augment.face_augment import Augmentation, Mixture, change_texture, face_square, random_affine
from startrack.train.sets.backgrounds import Background, background_square
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.targets.annotation_bias import with_bias


class ItemKey(NamedTuple):
    """Which item, in which epoch's variation."""

    epoch: int
    item: int


class FaceBatch(NamedTuple):
    """Crops and their targets; one item has no leading B. (A NamedTuple, because torch collates those.)"""

    crops: Tensor
    """(B, S, S, 3) uint8 in the model's colour order."""
    landmarks: Tensor
    """(B, K, 2) float32 crop pixels; zeros where presence is 0, NaN where a landmark has no place."""
    presence: Tensor
    """(B,) float32, 1 for a face, 0 for background."""
    weight: Tensor
    """(B,) float32, weight of the landmarks in the loss; 0 for a face of unknown ones, and for background."""


@dataclass(frozen=True, slots=True, eq=False)
class _StoredFace:
    image: ImageArray
    landmarks: FloatArray
    weight: float


class FaceDataset(Dataset[FaceBatch]):
    """Augmented crops of faces, and among them crops without a face.

    Pictures are read once and kept at the resolution that the crops need. What item i of epoch e shows depends on
    (seed, e, i) alone, not on the worker or rank that makes it.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: ModelSpec,
        *,
        augmentation: Augmentation | Mixture | None,
        backgrounds: Sequence[Background] = (),
        annotation_bias: FloatArray | None = None,
        scheme: LandmarkScheme | None = None,
        partly: bool = False,
        seed: int = 0,
    ) -> None:
        """augmentation None gives the plain evaluation crop. backgrounds: one is shown for every 12 faces.
        annotation_bias: (K, 2) of landmarks (train/targets/annotation_bias.py), which those of mirrored faces get too;
        None: they have none. scheme: with the flip pairs of a user's own markup, which a specification does not carry;
        without any no crop is mirrored. partly: take faces of which some landmarks have no place. Raises DatasetError
        for those otherwise."""
        self.spec = spec
        self.scheme = scheme or find_scheme(spec.scheme)
        self.augmentation = augmentation
        self.backgrounds = backgrounds
        self.annotation_bias = annotation_bias
        self.faces = [_store(sample, spec.input_size, spec.crop_scale, partly=partly) for sample in samples]
        self.num_backgrounds = len(self.faces) // 12 if backgrounds else 0
        self.seed = seed

    def __len__(self) -> int:
        return len(self.faces) + self.num_backgrounds

    def __getitem__(self, key: ItemKey) -> FaceBatch:
        return self.view(key, None)

    def view(self, key: ItemKey, motion: Affine | None) -> FaceBatch:
        """An item, or the same with all that it shows moved: the same draws, but of another part of the picture.

        motion: (2, 3) affine, crop pixels to those where what lies there then is. Crops without a face stay, and plain
        evaluation crops (augmentation None)."""
        index = key.item
        rng = np.random.default_rng((self.seed, key.epoch, index))
        if index >= len(self.faces):
            return self._background_item(rng)
        face = self.faces[index]
        if self.augmentation is None:
            cut = cut_for(self.spec, face.image, [roi_from_points(face.landmarks, self.spec.crop_scale)])
            return _item(cut.crops[0], cut.points_into([face.landmarks])[0])
        changes = self.augmentation.draw(rng)
        if not self.scheme.flip_pairs:
            changes = replace(changes, flip=0.0)
        roi = face_square(face.landmarks, self.spec, changes, rng)
        affine, mirrored = random_affine(roi, self.spec.input_size, changes, rng)
        if motion is not None:
            affine = motion[:, :2] @ affine
            affine[:, 2] += motion[:, 2]
        crop = self._varied(face.image, affine, changes, rng)
        landmarks = face.landmarks
        if mirrored and self.annotation_bias is not None:
            landmarks = with_bias(landmarks, self.scheme, self.annotation_bias, -2)
        landmarks = transform_points(affine, landmarks)
        if mirrored:
            landmarks = landmarks[self.scheme.flip_order]
        return _item(crop, landmarks, weight=face.weight)

    def _background_item(self, rng: np.random.Generator) -> FaceBatch:
        """A crop without a face: part of a photo of a scene, or the edge of a face far out of place."""
        nothing = np.zeros((self.scheme.num_landmarks, 2))
        changes = (self.augmentation or Augmentation()).draw(rng)
        if rng.random() < 0.75:
            background = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            square = background_square(background, rng)
            image = background.image
            if square is None:
                image, square = np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8), np.array([4.0, 4.0, 8.0])
            roi = Roi(square[:2], float(square[2]), float(rng.normal(0, 0.3)))
        else:
            face = self.faces[int(rng.integers(len(self.faces)))]
            image = face.image
            whole = roi_from_points(face.landmarks, self.spec.crop_scale)
            away = rng.uniform(0, 2 * np.pi)
            shift = np.array([np.cos(away), np.sin(away)]) * whole.side * rng.uniform(0.65, 0.9)
            roi = Roi(whole.centre + shift, whole.side * float(rng.uniform(0.5, 1.0)))
        affine, _ = random_affine(roi, self.spec.input_size, changes, rng)
        return _item(self._varied(image, affine, changes, rng), nothing, weight=0.0, presence=0.0)

    def _varied(self, image: ImageArray, affine: Affine, changes: Augmentation, rng: np.random.Generator) -> ImageArray:
        """The crop of that affine with its texture changed, in the model's colour order."""
        crop = cut_crop(image, affine, self.spec.input_size)
        return in_colour_order(self.spec, change_texture(crop, changes, rng))


def _item(crop: ImageArray, landmarks: FloatArray, *, weight: float = 1.0, presence: float = 1.0) -> FaceBatch:
    return FaceBatch(
        crops=torch.from_numpy(np.ascontiguousarray(crop)),
        landmarks=torch.from_numpy(np.asarray(landmarks, np.float32)),
        presence=torch.tensor(presence),
        weight=torch.tensor(float(weight)),
    )


def _store(sample: Sample, crop_size: int, crop_scale: float, *, partly: bool) -> _StoredFace:
    """The face's surroundings, averaged down until its crop would measure about 1.3 crop sizes."""
    if not partly and not np.isfinite(sample.landmarks).all():
        known = int(np.isfinite(sample.landmarks).all(axis=1).sum())
        raise DatasetError(f"{sample.name}: {known} landmarks annotated; expected all {len(sample.landmarks)}")
    image = sample.read_image()
    roi = roi_from_points(sample.landmarks, crop_scale)
    zoom = 1.3 * crop_size / roi.side
    if zoom >= 1:
        return _StoredFace(image, sample.landmarks, sample.weight)
    size = (round(image.shape[1] * zoom), round(image.shape[0] * zoom))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    exact = np.array(size) / np.array([image.shape[1], image.shape[0]])
    return _StoredFace(small, (sample.landmarks + 0.5) * exact - 0.5, sample.weight)  # type: ignore[arg-type]

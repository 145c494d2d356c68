"""Eyes → augment → crop → tensors: the input of an eye network."""

# N eyes, S side of a stored part

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from startrack.engines.base import EyeSpec
from startrack.tracker.crop import Affine, cut_crop, transform_points
from startrack.tracker.eyes.crop import EyeRoi, eye_affine, eye_rois, gaze_into
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.blink import LidFall
from startrack.train.augment.face_augment import Augmentation, change_texture
from startrack.train.augment.glasses import with_glasses
from startrack.train.augment.make_up import made_up
from startrack.train.feed.dataset import ItemKey
from startrack.train.sets.eyes.eye_truth import EyeTruth, FaceEyes, moved

KEPT = 1.0
"""Half the side of the part of a picture that is kept of an eye, over the crop's width."""
FINEST = 1.15
"""Pixels kept for each pixel of a crop."""
HIDDEN_WEIGHT = 0.2
"""Of an iris that a lid or a thing hides, where it would be: less certain than what can be seen."""
TEXTURE = Augmentation(occlusion=0, low_resolution=0.25, noise=0.25)


@dataclass(frozen=True, slots=True)
class EyeChanges:
    """How far the crops of a training are off; sigmas are of normal distributions cut at three sigmas.

    The landmark models' corners are off by 0.025 widths of the crop, 8 % of it and 0.8° (benchmarks/accuracy/eyes.py).
    """

    shift: float = 0.03
    """Of the crop's width, per axis."""
    log_width: float = 0.1
    rotation_deg: float = 4.0
    blink: float = 0.4
    """Share of open real eyes whose upper lid comes down (train/augment/blink.py)."""
    make_up: float = 0.2
    """Share of eyes with known lids that are made up (train/augment/make_up.py)."""
    glasses: float = 0.15
    """Share of eyes with known lids that get a lens before them (train/augment/glasses.py)."""
    texture: Augmentation = TEXTURE


SINGLES = RADIUS, VISIBLE, OPENNESS = 0, 1, 2
"""Columns of EyeItem.singles: the iris's radius in crop pixels, whether its centre can be seen, openness 0..1."""


class EyeItem(NamedTuple):
    """Crops of eyes and their targets; one item has no leading B. (A NamedTuple, because torch collates those.)

    Each target has a weight in the loss, 0 where it is not known.
    """

    crops: Tensor
    """(B, H, W, 3) uint8 RGB."""
    points: Tensor
    """(B, 7, 2) crop pixels: six of the lids, and the iris's centre."""
    point_weight: Tensor
    """(B, 7)."""
    singles: Tensor
    """(B, 3) in the order of SINGLES."""
    single_weight: Tensor
    """(B, 3)."""
    gaze: Tensor
    """(B, 3) in the crop's axes."""
    gaze_weight: Tensor
    """(B,)."""
    eye_distance: Tensor
    """(B,) of the face's outer eye corners, crop pixels: for figures."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredEye:
    """The surroundings of an eye, kept at the resolution that crops need."""

    image: ImageArray
    """(S, S, 3)."""
    roi: EyeRoi
    """Pixels of `image`."""
    truth: EyeTruth
    """Pixels of `image`."""
    domain: str
    turn_deg: float
    eye_distance: float
    """Distance of the outer eye corners, pixels of `image`."""
    attributes: tuple[str, ...]


class EyeDataset(Dataset[EyeItem]):
    """Crops of single eyes. What item i of epoch e shows depends on (seed, e, i) alone."""

    def __init__(
        self,
        faces: Iterable[FaceEyes],
        spec: EyeSpec,
        *,
        changes: EyeChanges | None,
        repeat: Mapping[str, int] | None = None,
        seed: int = 0,
    ) -> None:
        """changes None gives the crops of the true corners, as they are. repeat: FaceEyes.domain, or an attribute
        of the face → how often an epoch shows such eyes; the product of all that are named, or once."""
        self.spec = spec
        self.changes = changes
        self.seed = seed
        self.eyes: list[StoredEye] = []
        for face in faces:
            stored = store_eyes(face, spec)
            kinds = (face.domain, *face.sample.attributes)
            self.eyes += stored * math.prod((repeat or {}).get(kind, 1) for kind in kinds)

    def __len__(self) -> int:
        return len(self.eyes)

    def __getitem__(self, key: ItemKey) -> EyeItem:
        eye = self.eyes[key.item]
        if self.changes is None:
            return self._item(eye, eye.image, eye.truth, eye_affine(self.spec, eye.roi), None)
        rng = np.random.default_rng((self.seed, key.epoch, key.item))
        image, truth = eye.image, eye.truth
        if truth.lid_weight > 0 and rng.random() < self.changes.make_up:
            image = made_up(image, truth.lids, rng)
        if eye.domain == "real" and truth.openness > 0.5 and rng.random() < self.changes.blink:
            image, truth = fallen(image, truth, float(rng.uniform(0.15, 1.0)))
        if truth.lid_weight > 0 and rng.random() < self.changes.glasses:
            image = with_glasses(image, truth.lids, rng)
        affine = eye_affine(self.spec, changed(eye.roi, self.changes, rng))
        return self._item(eye, image, truth, affine, rng)

    def _item(
        self, eye: StoredEye, image: ImageArray, truth: EyeTruth, affine: Affine, rng: np.random.Generator | None
    ) -> EyeItem:
        width, height = self.spec.input_width, self.spec.input_height
        size = max(width, height)
        left, top = (size - width) // 2, (size - height) // 2
        square = cut_crop(image, affine + np.array([[0, 0, left], [0, 0, top]]), size)
        if rng is not None and self.changes is not None:
            square = change_texture(square, self.changes.texture, rng)
        crop = square[top : top + height, left : left + width]
        return to_item(crop, truth, affine, eye.eye_distance)


def changed(roi: EyeRoi, changes: EyeChanges, rng: np.random.Generator) -> EyeRoi:
    """A crop as far off as those from a landmark model's corners."""
    off = np.clip(rng.standard_normal(4), -3, 3)
    return replace(
        roi,
        centre=np.asarray(roi.centre, np.float64) + changes.shift * roi.width * off[:2],
        width=roi.width * math.exp(changes.log_width * off[2]),
        angle_rad=roi.angle_rad + math.radians(changes.rotation_deg * off[3]),
    )


def fallen(image: ImageArray, truth: EyeTruth, share: float) -> tuple[ImageArray, EyeTruth]:
    """An open eye with its upper lid part of its way down."""
    fall = LidFall(truth.lids, share)
    if np.isfinite(truth.iris).all():
        visible = 0.0 if fall.covers(truth.iris) else truth.visible
    else:
        visible = 0.0 if share > 0.75 else truth.visible if share < 0.3 else math.nan
    shut = replace(truth, lids=fall.move_lids(), openness=truth.openness * (1 - share), visible=visible)
    return fall.draw(image), shut


def to_item(crop: ImageArray, truth: EyeTruth, affine: Affine, eye_distance: float) -> EyeItem:
    """Targets in the crop's pixels and axes, zeros of weight 0 where nothing is known. eye_distance: in the pixels of
    the picture that the affine is of."""
    points = transform_points(affine, np.concatenate([truth.lids, truth.iris[None]]))
    known = np.asarray(np.isfinite(points).all(axis=1))
    (a, b), (c, d) = affine[:, :2].tolist()
    zoom = math.sqrt(abs(a * d - b * c))
    hidden = truth.visible == 0
    weights = known * np.array([truth.lid_weight] * 6 + [HIDDEN_WEIGHT if hidden else 1.0])
    singles = np.array([truth.radius * zoom, truth.visible, min(truth.openness, 1.0)])
    single_weight = np.isfinite(singles) * np.array([0.0 if hidden else 1.0, 1.0, 1.0])
    looks = not hidden and bool(np.isfinite(truth.gaze).all())
    gaze = gaze_into(affine, truth.gaze, truth.ray) if looks else np.array([0.0, 0.0, -1.0])
    arrays = (
        np.where(known[:, None], points, 0),
        weights,
        np.where(np.isfinite(singles), singles, 0),
        single_weight,
        gaze,
        np.array(float(looks)),
        np.array(eye_distance * zoom),
    )
    return EyeItem(
        torch.from_numpy(np.ascontiguousarray(crop)), *(torch.from_numpy(one.astype(np.float32)) for one in arrays)
    )


def store_eyes(face: FaceEyes, spec: EyeSpec) -> list[StoredEye]:
    """Both eyes of a face, each with its surroundings."""
    image = face.sample.read_image()
    distance = float(np.linalg.norm(face.sample.landmarks[45] - face.sample.landmarks[36]))
    return [
        _stored(face, image, roi, truth, spec, distance)
        for roi, truth in zip(eye_rois(spec, face.sample.landmarks), face.eyes, strict=True)
    ]


def _stored(
    face: FaceEyes, image: ImageArray, roi: EyeRoi, truth: EyeTruth, spec: EyeSpec, distance: float
) -> StoredEye:
    reach = KEPT * roi.width
    corner = np.floor(np.asarray(roi.centre, np.float64) - reach).astype(int)
    side = 2 * math.ceil(reach) + 2
    part = _part(image, corner, side)
    shrink = min(FINEST * spec.input_width / roi.width, 1.0)
    size = max(round(side * shrink), 8)
    exact = min(size / side, 1.0)
    if exact < 1:
        part = np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    def points(places: FloatArray) -> FloatArray:
        result: FloatArray = (np.asarray(places, np.float64) - corner + 0.5) * exact - 0.5
        return result

    return StoredEye(
        image=part,
        roi=replace(roi, centre=points(np.asarray(roi.centre, np.float64)[None])[0], width=roi.width * exact),
        truth=moved(truth, points, exact),
        domain=face.domain,
        turn_deg=face.turn_deg,
        eye_distance=distance * exact,
        attributes=face.sample.attributes,
    )


def _part(image: ImageArray, corner: NDArray[np.int_], side: int) -> ImageArray:
    """The square of a picture from a corner (x, y), black outside the picture."""
    part = np.zeros((side, side, 3), np.uint8)
    x, y = (int(value) for value in corner)
    rows = slice(max(y, 0), min(y + side, image.shape[0]))
    columns = slice(max(x, 0), min(x + side, image.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        part[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = image[rows, columns]
    return part


def batches(dataset: EyeDataset, size: int = 64) -> Iterable[tuple[Sequence[StoredEye], EyeItem]]:
    """All items of a dataset in order, with their stored eyes."""
    for start in range(0, len(dataset), size):
        numbers = range(start, min(start + size, len(dataset)))
        items = [dataset[ItemKey(0, number)] for number in numbers]
        yield (
            dataset.eyes[numbers.start : numbers.stop],
            EyeItem(*(torch.stack(part) for part in zip(*items, strict=True))),
        )

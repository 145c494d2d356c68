"""Sample → square → crop → heatmaps: the input of heatmap regression, for faces and bodies."""

# B batch, K landmarks, C channels (K, or K and a boundary), S side of the crop, c heatmap cells along a side

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import Affine, crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.cut import in_colour_order
from startrack.tracker.schemes import LandmarkScheme, find_scheme
from startrack.tracker.types import FloatArray, Roi
from startrack.train.augment.face_augment import Augmentation, change_texture
from startrack.train.feed.dataset import ItemKey
from startrack.train.sets.sample import Sample
from startrack.train.targets.awing import boundary_map, cells_from_pixels, landmark_maps
from startrack.train.targets.pose import Targets, gaussian_targets

PLAIN_TEXTURE = Augmentation(
    occlusion=0, blur=0, low_resolution=0, gamma=0, colour=0, noise=0, grey=0, compression=0, flip=0
)
"""Nothing is changed but the geometry."""


class HeatmapBatch(NamedTuple):
    """Crops and their targets; one item has no leading B. (A NamedTuple, because torch collates those.)"""

    crops: Tensor
    """(B, S, S, 3) uint8 RGB."""
    maps: Tensor
    """(B, C, c, c) float32 0..1."""
    weight: Tensor
    """(B, C) float32, weight of each map in the loss; 0 for a landmark that is not annotated."""
    landmarks: Tensor
    """(B, K, 2) float32 crop pixels; NaN where not annotated."""


class Vary(Protocol):
    """The geometry of an augmentation."""

    def __call__(
        self,
        roi: Roi,
        landmarks_K2: FloatArray,
        annotated_K: NDArray[np.bool_],
        scheme: LandmarkScheme,
        rng: np.random.Generator,
    ) -> tuple[Roi, bool]:
        """A square near that of the plain crop, and whether the crop is mirrored."""
        ...


@dataclass(frozen=True, slots=True)
class EvenVariation:
    """Turn, shift and scale, each drawn evenly between its bounds."""

    rotation_deg: float
    shift: float
    """Of the crop's side, per axis."""
    scale: float
    """The face is 1 - scale to 1 + scale times as large in the crop."""
    flip: float = 0.5

    def __call__(
        self,
        roi: Roi,
        landmarks_K2: FloatArray,
        annotated_K: NDArray[np.bool_],
        scheme: LandmarkScheme,
        rng: np.random.Generator,
    ) -> tuple[Roi, bool]:
        shift = rng.uniform(-self.shift, self.shift, 2) * roi.side
        side = roi.side / float(rng.uniform(1 - self.scale, 1 + self.scale))
        turn = math.radians(float(rng.uniform(-self.rotation_deg, self.rotation_deg)))
        mirrored = bool(rng.random() < self.flip)
        return Roi(np.asarray(roi.centre, np.float64) + shift, side, roi.angle_rad + turn), mirrored


class MakeTargets(Protocol):
    """Landmarks of a crop → maps."""

    def __call__(self, points_K2: FloatArray, annotated_K: NDArray[np.bool_]) -> Targets:
        """points: (K, 2) crop pixels; those not annotated are NaN."""
        ...


@dataclass(frozen=True)
class GaussianTargets:
    """K maps: DARK's Gaussians at the landmarks' exact places, decoded by engines.decode.dark."""

    spec: ModelSpec
    sigma: float
    """Cells."""

    def __call__(self, points_K2: FloatArray, annotated_K: NDArray[np.bool_]) -> Targets:
        side = self.spec.heatmap_size
        cells = cells_from_pixels(points_K2, self.spec.stride)
        return gaussian_targets(cells, annotated_K, (side, side), sigma=self.sigma)


@dataclass(frozen=True)
class AwingTargets:
    """K maps of Adaptive Wing's blobs at the landmarks' exact places, and the boundary map."""

    spec: ModelSpec
    curves: Sequence[Sequence[int]]

    def __call__(self, points_K2: FloatArray, annotated_K: NDArray[np.bool_]) -> Targets:
        side = self.spec.heatmap_size
        cells = cells_from_pixels(points_K2, self.spec.stride)
        boundary = boundary_map(cells, self.curves, side)
        maps = np.concatenate([landmark_maps(cells, side), boundary[None]])
        return Targets(maps, np.append(annotated_K, True).astype(np.float32))


class HeatmapDataset(Dataset[HeatmapBatch]):
    """Crops with their maps.

    What item i of epoch e shows depends on (seed, e, i) alone, not on the worker or process that makes it. A picture is
    read again each time: those of COCO do not fit into memory.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: ModelSpec,
        *,
        targets: MakeTargets,
        vary: Vary | None = None,
        texture: Augmentation = PLAIN_TEXTURE,
        plain_roi: Callable[[Sample], Roi] | None = None,
        seed: int = 0,
    ) -> None:
        """vary: None gives the plain crops of an evaluation. plain_roi: in place of the square around the landmarks."""
        self.samples = samples
        self.spec = spec
        self.scheme = find_scheme(spec.scheme)
        self.targets = targets
        self.vary = vary
        self.texture = texture
        self.plain_roi = plain_roi or self._around_landmarks
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: ItemKey) -> HeatmapBatch:
        sample, size = self.samples[key.item], self.spec.input_size
        rng = np.random.default_rng((self.seed, key.epoch, key.item))
        known_K, roi, mirrored = sample.annotated, self.plain_roi(sample), False
        if self.vary is not None:
            roi, mirrored = self.vary(roi, sample.landmarks, known_K, self.scheme, rng)
        affine = mirror_affine(crop_affine(roi, size), size) if mirrored else crop_affine(roi, size)
        points = transform_points(affine, sample.landmarks)
        if mirrored:
            points, known_K = points[self.scheme.flip_order], known_K[self.scheme.flip_order]
        crop = cut_crop(sample.read_image(), affine, size)
        if self.vary is not None:
            crop = change_texture(crop, self.texture, rng)
        targets = self.targets(points, known_K)
        return HeatmapBatch(
            crops=torch.from_numpy(np.ascontiguousarray(in_colour_order(self.spec, crop))),
            maps=torch.from_numpy(targets.maps),
            weight=torch.from_numpy(targets.weight * np.float32(sample.weight)),
            landmarks=torch.from_numpy(points.astype(np.float32)),
        )

    def _around_landmarks(self, sample: Sample) -> Roi:
        return roi_from_points(sample.landmarks[sample.annotated], self.spec.crop_scale)


def mirror_affine(affine: Affine, size: int) -> Affine:
    """The affine frame → mirrored crop: x becomes size - 1 - x."""
    flip = np.array([[-1.0, 0.0], [0.0, 1.0]])
    return np.column_stack([flip @ affine[:, :2], flip @ affine[:, 2] + [size - 1, 0]])

"""How far a landmark network trusts its crop: errors from crops that are off, and how fast a face is found again.

A crop by the true landmarks says where the face's outline ends. A network that has seen only such crops reads the
outline off the crop's border: its figure from the true box is good, and from a crop that is off it never comes back.
So a face is read from a crop that is off, then from the crop that the tracker cuts from the reading, and so on.
"""

# N faces, B of them at once, K landmarks, S side of the crop, R readings one after the other

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import roi_from_landmarks, roi_from_points
from startrack.tracker.cut import cut_each
from startrack.tracker.schemes import find_scheme
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.sets.sample import Sample

Read: TypeAlias = Callable[[ImageArray], FloatArray]
"""(B, S, S, 3) uint8 crops → (B, K, 2) landmarks in their pixels."""
BATCH = 16
SHIFT, LOG_SCALE = 0.03, 0.06
"""Sigmas of perturbed crops: of a shift along each axis in sides, and of the logarithm of the side."""


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Faces to read again and again: their pictures stay in memory."""

    images: Sequence[ImageArray]
    landmarks: NDArray[np.float64]
    """(N, K, 2) true ones, pixels of the pictures."""
    spec: ModelSpec
    """How crops are cut."""

    @classmethod
    def of(cls, samples: Sequence[Sample], spec: ModelSpec) -> Photos:
        """Raises DatasetError if a picture cannot be read."""
        images = [sample.read_image() for sample in samples]
        return cls(images, np.stack([np.asarray(sample.landmarks, np.float64) for sample in samples]), spec)

    @property
    def true_rois(self) -> list[Roi]:
        """The crops of an evaluation."""
        return [roi_from_points(points, self.spec.crop_scale) for points in self.landmarks]

    def next_rois(self, points_NK2: FloatArray) -> list[Roi]:
        """The crops that the tracker cuts by landmarks."""
        scheme = find_scheme(self.spec.scheme)
        return [roi_from_landmarks(points, scheme, self.spec.crop_scale) for points in points_NK2]

    def read(self, read: Read, rois: Sequence[Roi]) -> NDArray[np.float64]:
        """(N, K, 2) landmarks in the crop of each face, pixels of the pictures."""
        points = []
        for start in range(0, len(rois), BATCH):
            some = slice(start, start + BATCH)
            cut = cut_each(self.spec, zip(self.images[some], rois[some], strict=True))
            points.append(cut.points_back(read(cut.crops)))
        return np.concatenate(points)

    def follow(self, read: Read, rois: Sequence[Roi], readings: int) -> NDArray[np.float64]:
        """(R, N, K, 2): the faces read from these crops, then from those cut by the landmarks of the reading before."""
        points = []
        for _ in range(readings):
            points.append(self.read(read, rois))
            rois = self.next_rois(points[-1])
        return np.stack(points)


def perturbed(rois: Sequence[Roi], rng: np.random.Generator) -> list[Roi]:
    """Crops moved and scaled by normal deviates of SHIFT and LOG_SCALE."""
    return [_moved(roi, SHIFT * rng.standard_normal(2), LOG_SCALE * rng.standard_normal()) for roi in rois]


def displaced(rois: Sequence[Roi], by: float, rng: np.random.Generator) -> list[Roi]:
    """Crops moved by exactly so much of their side, in any direction."""
    ways = rng.uniform(0, 2 * math.pi, len(rois))
    return [
        _moved(roi, by * np.array([math.cos(way), math.sin(way)]), 0.0) for roi, way in zip(rois, ways, strict=True)
    ]


def steps_back(
    centres_RN2: FloatArray, home_N2: FloatArray, sides_N: FloatArray, *, within: float
) -> NDArray[np.int64]:
    """(N,) readings until a face's crop lies within so many of its sides of home, and stays there; R if it never does.

    centres: of the crop cut by each reading. home: of those that the face's readings from its true box lead to.
    """
    away_RN = np.linalg.norm(centres_RN2 - home_N2, axis=-1) / sides_N
    outside_RN = away_RN > within
    last_N: NDArray[np.int64] = len(outside_RN) - outside_RN[::-1].argmax(axis=0)
    return np.where(outside_RN.any(axis=0), last_N, 0)


def _moved(roi: Roi, shift: FloatArray, log_scale: float) -> Roi:
    return Roi(np.asarray(roi.centre, np.float64) + roi.side * shift, roi.side * math.exp(log_scale), roi.angle_rad)

"""What flows through the tracker: frozen values, each array with shape, unit and frame of reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
ImageArray: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video."""

    image: ImageArray
    """(H, W, 3) uint8 RGB, upright (any rotation of the container already applied)."""
    index: int
    """Number of the frame among those the source gave, from 0. A gap shows dropped frames."""
    time_s: float
    """Seconds since the source began: the frame's own timestamp, never index / fps. Strictly increasing."""

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class FaceBox:
    """A detected face in one frame."""

    xyxy: FloatArray
    """(4,) left, top, right, bottom in frame pixels: a square, brows to chin. Its centre and side are those of the
    landmarks' bounding box (its larger side), taken along the axes of the eyes. May leave the frame."""
    score: float
    """Detector confidence, 0..1."""
    eyes: FloatArray | None = None
    """(2, 2) centres of the eye on the picture's left and on its right, frame pixels; None if the detector has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """The square where the next crop is cut, turned with the face so that the crop is upright."""

    centre: FloatArray
    """(2,) frame pixels."""
    side: float
    """Length of the square's side in frame pixels."""
    angle_rad: float = 0.0
    """Direction of the face's left-to-right axis in the frame; positive is clockwise on the screen (y points down)."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of one face."""

    points: FloatArray
    """(K, 2) x, y in frame pixels; pixel centres are integers, 0-based."""
    covariance: FloatArray
    """(K, 2, 2) px², the spread of each landmark's heatmap in the frame's axes."""
    score: FloatArray
    """(K,) 0..1, probability that the landmark lies close to its estimate (engines.base.LandmarkBatch.score)."""
    presence: float
    """0..1, probability that there was a face in the crop at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face in one frame, with the identity it keeps from frame to frame."""

    id: int
    """Stable number of this face, from 0; never used again after the track's death."""
    landmarks: Landmarks
    """Smoothed landmarks, frame pixels."""
    box: FloatArray
    """(4,) xyxy in frame pixels, the bounding box of the landmarks."""
    roi: Roi
    """The crop that the landmarks were read from."""


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Wall time of each stage for one frame, in milliseconds."""

    detect_ms: float = 0.0
    crop_ms: float = 0.0
    engine_ms: float = 0.0
    smooth_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        return self.detect_ms + self.crop_ms + self.engine_ms + self.smooth_ms


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame with every face that is followed in it."""

    frame: Frame
    tracks: tuple[Track, ...]
    """The faces seen in this frame, by id."""
    latency: StageLatency

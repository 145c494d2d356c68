"""The contract of an eye engine: crops of single eyes in; lids, iris, gaze and openness out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from startrack.closing import Closing
from startrack.engines.base import CropArray, EngineError, EyeSpec, FloatArray

LID_POINTS = 6
"""Of an eye, in the order of iBUG's landmarks 36 to 41: outer corner, two of the upper lid, inner corner, two of the
lower lid from the inner corner outwards."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeBatch:
    """Readings of N eye crops, in crop pixels (pixel centres are integers). Every crop shows a right eye of the
    subject; left ones are mirrored before."""

    lids: FloatArray
    """(N, 6, 2) x, y in crop pixels, in the order of landmarks 36 to 41."""
    lid_covariance: FloatArray
    """(N, 6, 2, 2) px² of the crop."""
    iris: FloatArray
    """(N, 2) centre of the iris, crop pixels; behind a lid where it would be."""
    iris_radius: FloatArray
    """(N,) crop pixels: of the iris's disc, or the longer half axis of its ellipse."""
    iris_covariance: FloatArray
    """(N, 2, 2) px² of the crop."""
    iris_visible: FloatArray
    """(N,) 0..1, probability that the iris's centre can be seen: the lid is open and nothing is before it."""
    openness: FloatArray
    """(N,) 0..1: opening of the lids over that of the same eye when it is open normally."""
    gaze: FloatArray
    """(N, 3) unit direction in the crop's axes: x right, y down, z away from the camera; an eye that looks into the
    camera has (0, 0, -1), wherever in the picture it is."""
    gaze_spread_rad: FloatArray
    """(N,) standard deviation of the direction in each of the two axes across it."""


class EyeEngine(Closing, Protocol):
    """Runs one eye model on some hardware."""

    @property
    def spec(self) -> EyeSpec: ...

    def __call__(self, crops: CropArray) -> EyeBatch:
        """Readings of a batch of eyes.

        crops: (N, H, W, 3) uint8 RGB, H = spec.input_height, W = spec.input_width; N may be 0.
        Raises EngineError on another shape or type, and when the runtime fails.
        """
        ...

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""
        ...


def check_eye_crops(spec: EyeSpec, crops: CropArray) -> None:
    """Raise EngineError unless crops is a (N, H, W, 3) uint8 array of the size the model takes."""
    shape = (spec.input_height, spec.input_width, 3)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != shape:
        raise EngineError(
            f"{spec.name}: crops are {crops.dtype} {crops.shape}, expected uint8 (N, {shape[0]}, {shape[1]}, 3)"
        )


def no_eyes() -> EyeBatch:
    """The readings of an empty batch."""
    shapes = ((6, 2), (6, 2, 2), (2,), (), (2, 2), (), (), (3,), ())
    return EyeBatch(*(np.zeros((0, *shape), np.float32) for shape in shapes))

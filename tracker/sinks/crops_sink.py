"""Aligned faces as pictures: each face turned upright and scaled to one size, as OpenFace's aligned faces are."""

from __future__ import annotations

import cmath
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import Affine, crop_affine, cut_crop, roi_from_landmarks
from startrack.tracker.motion.similarity import as_complex, fit_similarity
from startrack.tracker.schemes import IBUG_68, LandmarkScheme
from startrack.tracker.signals.head_model import PHOTO_HEAD
from startrack.tracker.sinks.base import Sink, SinkError
from startrack.tracker.types import FloatArray, HeadModel, Roi, TrackedFrame
from startrack.whole_file import write_whole

SIZE = 112
MARGIN = 0.1
"""Share of the mean face's longer side, brows to chin, that is left free on each of the four sides."""
STEADY = list(IBUG_68.steady)


class CropsSink(Sink):
    """One PNG per face per frame, DIR/frame_det_ID_FRAME.png: OpenFace's names, frame counting from 1, id from 0.

    With iBUG's 68 landmarks a similarity carries the corners of the eyes and the nose onto those of the mean head, so
    that eyes and mouth lie at the same place in every picture. Other markups are turned by their eyes, if they have
    them, and scaled by their bounding box. Outside the frame the picture is black.
    """

    def __init__(
        self,
        folder: str | Path,
        scheme: LandmarkScheme,
        *,
        size: int = SIZE,
        margin: float = MARGIN,
        overwrite: bool = False,
        head: HeadModel = PHOTO_HEAD,
    ) -> None:
        """head: onto whose landmarks the faces are laid. size: side of the pictures in pixels. margin: share of the
        face's longer side left free around it.

        Raises SinkError if the folder cannot be made, or holds pictures of another run that may not be replaced.
        """
        self._folder = Path(folder)
        self._scheme, self._size, self._margin, self._head = scheme, size, margin, head
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(f"{self._folder}: cannot be made: {error.strerror}; expected a folder") from error
        for earlier in self._folder.glob("frame_det_*.png"):
            if not overwrite:
                raise SinkError(f"{self._folder}: holds aligned faces already; expected another folder, or --overwrite")
            earlier.unlink()

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if the disk is full."""
        for track in tracked.tracks:
            affine = self._affine(track.landmarks.points)
            picture = cut_crop(tracked.frame.image, affine, self._size)
            path = self._folder / f"frame_det_{track.id:02d}_{tracked.frame.index + 1:06d}.png"
            try:
                write_whole(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            except OSError as error:
                raise SinkError(f"{path}: cannot be written: {error.strerror}") from error

    def _affine(self, points: FloatArray) -> Affine:
        if self._scheme.ibug_68:
            return aligning_affine(points[list(self._scheme.ibug_68)], self._size, self._margin, self._head)
        return crop_affine(roi_from_landmarks(points, self._scheme, 1 + 2 * self._margin), self._size)

    def close(self) -> None:
        """Every picture is finished as soon as it is written."""


def aligning_affine(points: FloatArray, size: int, margin: float = MARGIN, head: HeadModel = PHOTO_HEAD) -> Affine:
    """(2, 3) frame pixels → pixels of the aligned face. points: (68, 2) in iBUG's numbering, frame pixels."""
    mean = as_complex(template(size, margin, head)[STEADY])
    onto_face = fit_similarity(mean, as_complex(points[STEADY]), np.ones(len(STEADY)))
    middle = onto_face.factor * complex(1, 1) * (size - 1) / 2 + onto_face.offset
    roi = Roi(
        np.array([middle.real, middle.imag]), max(size * abs(onto_face.factor), 1e-3), cmath.phase(onto_face.factor)
    )
    return crop_affine(roi, size)


def template(size: int, margin: float = MARGIN, head: HeadModel = PHOTO_HEAD) -> NDArray[np.float64]:
    """(68, 2) where the mean head's landmarks lie on a picture of size × size pixels."""
    flat = head.points[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    unit = size / ((high - low).max() * (1 + 2 * margin))
    mean: NDArray[np.float64] = (flat - (low + high) / 2) * unit + (size - 1) / 2
    return mean

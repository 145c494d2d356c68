"""The shipped face detector: our own small network through an engine; its boxes need no mapping."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import DetectorEngine, EngineError
from startrack.tracker.cut import in_colour_order
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.letterbox import Letterbox, letterbox, smaller
from startrack.tracker.detect.nms import suppress
from startrack.tracker.types import FaceBox, Frame

LARGEST_FACE = 320
"""Side of the largest faces that the network was trained to find, pixels of its picture, rounded down."""
NEAR_SIZE = 160
"""Longer side of the picture in which larger ones are looked for."""
NEAR_SHARE = 0.4
"""Side of the faces that are taken from it at least, in longer sides of the picture."""


class _Candidates(NamedTuple):
    """Detections before overlapping ones are dropped, in frame pixels."""

    scores: NDArray[np.float64]
    """(N,)."""
    squares: NDArray[np.float64]
    """(N, 3) centre x, y and side."""
    eyes: NDArray[np.float64]
    """(N, 2, 2)."""


class ZooDetector(FaceDetector):
    """A FaceDetector around a detector engine, which it closes with itself."""

    def __init__(
        self, engine: DetectorEngine, *, input_size: int | None = None, min_score: float | None = None
    ) -> None:
        """input_size: longer side in pixels that frames are shrunk to; twice as large finds faces half as large in four
        times the time. Where a face that fills the picture would be larger than those that the model was trained on,
        frames are looked at once more in a small size.
        min_score: 0..1, weaker detections are dropped. Both are the model's own choice by default. Raises EngineError,
        the engine closed, for an input_size that is less than a cell.
        """
        spec = engine.spec
        self._engine = engine
        self._input_size = spec.input_size if input_size is None else input_size
        self._min_score = spec.min_score if min_score is None else min_score
        if self._input_size < spec.strides[-1]:
            engine.close()
            raise EngineError(
                f"{spec.name}: input size {self._input_size} asked for, expected {spec.strides[-1]} or more"
            )

    def __call__(self, frame: Frame) -> list[FaceBox]:
        """All faces of the frame, best score first, boxes and eyes in frame pixels. Raises EngineError after close."""
        step = self._engine.spec.strides[-1]
        boxed = letterbox(frame.image, self._input_size, step)
        candidates = self._look(boxed)
        if min(boxed.content.shape[:2]) > LARGEST_FACE:
            near = self._look(smaller(boxed, NEAR_SIZE, step))
            is_near = near.squares[:, 2] >= NEAR_SHARE * max(frame.image.shape[:2])
            both = zip(candidates, (part[is_near] for part in near), strict=True)
            candidates = _Candidates(*(np.concatenate(parts) for parts in both))
        kept = suppress(candidates.squares, candidates.scores, self._engine.spec.max_overlap)
        return [_box(candidates, row) for row in kept]

    def _look(self, boxed: Letterbox) -> _Candidates:
        """The network's finds in a picture, in pixels of the frame that was shrunk to it."""
        spec = self._engine.spec
        picture = in_colour_order(spec, boxed.picture)
        output = self._engine(picture[None])
        likely = np.flatnonzero(output.scores[0] >= self._min_score)
        squares = output.squares[0, likely]
        sides = squares[:, 2:] / boxed.zoom.mean()
        return _Candidates(
            output.scores[0, likely].astype(np.float64),
            np.concatenate([boxed.to_frame(squares[:, :2]), sides], axis=1),
            boxed.to_frame(output.eyes[0, likely]),
        )

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        self._engine.close()


def _box(candidates: _Candidates, row: int) -> FaceBox:
    centre, half = candidates.squares[row, :2], candidates.squares[row, 2] / 2
    return FaceBox(np.concatenate([centre - half, centre + half]), float(candidates.scores[row]), candidates.eyes[row])

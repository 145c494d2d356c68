"""The shipped face detector: our own small network through an engine; its boxes need no mapping."""

from __future__ import annotations

import numpy as np

from startrack.engines.base import DetectorEngine, EngineError
from startrack.tracker.cut import in_colour_order
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.letterbox import letterbox
from startrack.tracker.detect.nms import suppress
from startrack.tracker.types import FaceBox, Frame


class ZooDetector(FaceDetector):
    """A FaceDetector around a detector engine, which it closes with itself."""

    def __init__(
        self, engine: DetectorEngine, *, input_size: int | None = None, min_score: float | None = None
    ) -> None:
        """input_size: longer side in pixels that frames are shrunk to; twice as large finds faces half as large in four
        times the time. min_score: 0..1, weaker detections are dropped. Both are the model's own choice by default.
        """
        spec = engine.spec
        self._engine = engine
        self._input_size = spec.input_size if input_size is None else input_size
        self._min_score = spec.min_score if min_score is None else min_score
        if self._input_size < spec.strides[-1]:
            raise EngineError(
                f"{spec.name}: input size {self._input_size} asked for, expected {spec.strides[-1]} or more"
            )

    def __call__(self, frame: Frame) -> list[FaceBox]:
        """All faces of the frame, best score first, boxes and eyes in frame pixels. Raises EngineError after close."""
        spec = self._engine.spec
        boxed = letterbox(frame.image, self._input_size, spec.strides[-1])
        picture = in_colour_order(spec, boxed.picture)
        found = self._engine(picture[None])
        likely = np.flatnonzero(found.scores[0] >= self._min_score)
        scores, squares, eyes = found.scores[0, likely], found.squares[0, likely], found.eyes[0, likely]
        centres = boxed.to_frame(squares[:, :2])
        halves = squares[:, 2:] / (2 * boxed.zoom.mean())
        corners = np.concatenate([centres - halves, centres + halves], axis=1)
        frame_eyes = boxed.to_frame(eyes)
        kept = suppress(squares, scores, spec.max_overlap)
        return [FaceBox(corners[row], float(scores[row]), frame_eyes[row]) for row in kept]

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        self._engine.close()

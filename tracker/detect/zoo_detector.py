"""The shipped face detector: our own small network through an engine; its boxes need no mapping.

What it is in doubt about it looks at once more, closely: cut out of the frame, a small face shows what the shrunk
picture has lost, and a texture that looked like a face in one size seldom does in another. A face that is followed
already needs no second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import DetectorEngine, EngineError
from startrack.tracker.associate import associate, stack_boxes
from startrack.tracker.crop import crop_affine, cut_crop
from startrack.tracker.cut import in_colour_order
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.letterbox import Letterbox, letterbox, smaller
from startrack.tracker.detect.nms import square_iou, suppress
from startrack.tracker.types import FaceBox, FloatArray, Frame, ImageArray, Roi

LARGEST_FACE = 320
"""Side of the largest faces that the network was trained to find, pixels of its picture, rounded down."""
NEAR_SIZE = 160
"""Longer side of the picture in which larger ones are looked for."""
NEAR_SHARE = 0.4
"""Side of the faces that are taken from it at least, in longer sides of the picture."""
DOUBTFUL = (0.35, 0.65)
"""Range of the scores that a closer look decides on, together with the first."""
SUREST = 0.8
"""Score of a closer look that few doubtful finds exceed: one that it could not lift to the threshold gets none."""
CLOSE_SIDES, CLOSE_SIZE = 2.5, 128
"""Of the part of the frame that is cut out: its side in sides of the face, and that of the picture made of it."""
MOST_DOUBTFUL = 8
"""Looked at closely, the best of a frame; each takes about a fifth of the first look's time."""
SAME_IOU = 0.4
"""Overlap from which the closer look has found the same."""
KNOWN_IOU = 0.3
"""Overlap of a find's box and a followed face's from which they are one face."""


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
        return self.find_beside(frame, ())

    def find_beside(self, frame: Frame, known: Sequence[FloatArray]) -> list[FaceBox]:
        """The same; a find on a known face keeps its score without a closer look, however doubtful it is.

        known: (4,) xyxy in frame pixels of each followed face. Raises EngineError after close.
        """
        step = self._engine.spec.strides[-1]
        boxed = letterbox(frame.image, self._input_size, step)
        candidates = self._look(boxed)
        if min(boxed.content.shape[:2]) > LARGEST_FACE:
            near = self._look(smaller(boxed, NEAR_SIZE, step))
            is_near = near.squares[:, 2] >= NEAR_SHARE * max(frame.image.shape[:2])
            both = zip(candidates, (part[is_near] for part in near), strict=True)
            candidates = _Candidates(*(np.concatenate(parts) for parts in both))
        kept = suppress(candidates.squares, candidates.scores, self._engine.spec.max_overlap)
        candidates = self._looked_at_closely(frame.image, _Candidates(*(part[kept] for part in candidates)), known)
        order = np.argsort(-candidates.scores, kind="stable")
        return [_box(candidates, row) for row in order if candidates.scores[row] >= self._min_score]

    def _looked_at_closely(self, image: ImageArray, found: _Candidates, known: Sequence[FloatArray]) -> _Candidates:
        """Finds, best first, the doubtful ones with the mean of their score and that of a closer look; known faces
        with their score."""
        least = max(DOUBTFUL[0], 2 * self._min_score - SUREST)
        is_doubtful = (found.scores >= least) & (found.scores < DOUBTFUL[1])
        if len(known) and is_doubtful.any():
            # one find for each face: another one that overlaps it may be somebody else
            pairs = associate(stack_boxes(known), _boxes(found.squares), min_iou=KNOWN_IOU)
            is_doubtful[[row for _, row in pairs]] = False
        rows = np.flatnonzero(is_doubtful)[:MOST_DOUBTFUL]
        if not len(rows):
            return found
        rois = [Roi(found.squares[row, :2], CLOSE_SIDES * found.squares[row, 2]) for row in rows]
        crops = [crop_affine(roi, CLOSE_SIZE) for roi in rois]
        spec = self._engine.spec
        output = self._engine(np.stack([in_colour_order(spec, cut_crop(image, crop, CLOSE_SIZE)) for crop in crops]))
        # every crop shows its find in the middle, at one size
        middle = np.array([(CLOSE_SIZE - 1) / 2, (CLOSE_SIZE - 1) / 2, CLOSE_SIZE / CLOSE_SIDES])
        is_same = square_iou(output.squares, middle) >= SAME_IOU
        scores = found.scores.copy()
        scores[rows] = (scores[rows] + np.where(is_same, output.scores, 0.0).max(axis=1)) / 2
        return found._replace(scores=scores)

    def _look(self, boxed: Letterbox) -> _Candidates:
        """The network's finds in a picture, in pixels of the frame that was shrunk to it."""
        spec = self._engine.spec
        picture = in_colour_order(spec, boxed.picture)
        output = self._engine(picture[None])
        likely = np.flatnonzero(output.scores[0] >= min(self._min_score, DOUBTFUL[0]))
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


def _boxes(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) centre x, y and side → (N, 4) xyxy."""
    centres, halves = squares[:, :2], squares[:, 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _box(candidates: _Candidates, row: int) -> FaceBox:
    return FaceBox(_boxes(candidates.squares[[row]])[0], float(candidates.scores[row]), candidates.eyes[row])

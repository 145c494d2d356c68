"""AP@0.5 and recall at a number of false positives, of square boxes; some regions are ignored."""

# N detections, M true faces, I ignored squares, T detections that count

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.detect.nms import square_iou
from startrack.tracker.types import FloatArray

Float64Array: TypeAlias = NDArray[np.float64]
MIN_IOU = 0.5
MIN_IGNORED_SHARE = 0.5
"""Of a detection's area inside one ignored square; such a detection counts neither way."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureResult:
    """Found and true faces of one picture, in its pixels."""

    squares: FloatArray
    """(N, 3) detections: centre x, y, side."""
    scores: FloatArray
    """(N,) 0..1."""
    truth: FloatArray
    """(M, 3) faces to be found."""
    ignored: FloatArray
    """(I, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredDetections:
    """The detections of all pictures that count, best first."""

    scores: Float64Array
    """(T,)."""
    correct: NDArray[np.bool_]
    """(T,) whether a face was found by it, each face once."""
    num_faces: int
    """Faces to be found."""

    def average_precision(self) -> float:
        """Area under precision over recall, precision made monotonous (PASCAL VOC 2010 on); NaN without a face."""
        if not self.num_faces:
            return float("nan")
        hits_T = np.cumsum(self.correct)
        precision_T = hits_T / np.arange(1, len(hits_T) + 1)
        best_T = np.maximum.accumulate(precision_T[::-1])[::-1]
        return float(best_T[self.correct].sum() / self.num_faces)

    def recall_at(self, false_positives: int) -> tuple[float, float]:
        """Recall just before one more false positive than allowed, and the score of the weakest detection used.

        FDDB's discrete ROC (Jain & Learned-Miller, 2010). NaN without a face.
        """
        wrong_T = np.cumsum(~self.correct)
        used = int(np.searchsorted(wrong_T, false_positives, side="right"))
        recall = float(self.correct[:used].sum() / self.num_faces) if self.num_faces else float("nan")
        return recall, float(self.scores[used - 1]) if used else 1.0

    def at_score(self, min_score: float) -> tuple[float, int]:
        """Recall and number of false positives among the detections of at least that score."""
        used = self.scores >= min_score
        recall = float(self.correct[used].sum() / self.num_faces) if self.num_faces else float("nan")
        return recall, int((~self.correct[used]).sum())


def score_detections(
    pictures: Sequence[PictureResult], *, min_side: float = 0.0, max_side: float = float("inf")
) -> ScoredDetections:
    """Match each picture's detections, best first, to the free face of largest IoU, if that is MIN_IOU at least.

    min_side, max_side: faces of other sides (min_side included, max_side not) are ignored, as are detections of other
    sides that found no face (COCO's rule).
    """
    scores: list[float] = []
    correct: list[bool] = []
    num_faces = 0
    for picture in pictures:
        wanted = (picture.truth[:, 2] >= min_side) & (picture.truth[:, 2] < max_side)
        num_faces += int(wanted.sum())
        for score, is_match in _match(picture, wanted, min_side, max_side):
            scores.append(score)
            correct.append(is_match)
    order = np.argsort(-np.array(scores, np.float64), kind="stable")
    return ScoredDetections(np.array(scores, np.float64)[order], np.array(correct, bool)[order], num_faces)


def _match(
    picture: PictureResult, wanted: NDArray[np.bool_], min_side: float, max_side: float
) -> list[tuple[float, bool]]:
    """Score and correctness of each detection that counts."""
    rows: list[tuple[float, bool]] = []
    taken = np.zeros(len(picture.truth), bool)
    iou_NM = square_iou(picture.squares[:, None], picture.truth[None])
    share_NI = ignored_share(picture.squares, picture.ignored)
    for n in np.argsort(-picture.scores, kind="stable"):
        free = np.where(taken, 0.0, iou_NM[n])
        # a face that is wanted before one that is not
        best = max(range(len(free)), key=lambda m: (free[m] >= MIN_IOU, wanted[m], free[m]), default=-1)
        if best >= 0 and free[best] >= MIN_IOU:
            taken[best] = True
            if wanted[best]:
                rows.append((float(picture.scores[n]), True))
            continue
        in_range = min_side <= picture.squares[n, 2] < max_side
        if in_range and not (share_NI[n] >= MIN_IGNORED_SHARE).any():
            rows.append((float(picture.scores[n]), False))
    return rows


def ignored_share(squares_N3: FloatArray, ignored_I3: FloatArray) -> Float64Array:
    """(N, I) share of each detection's area that lies in each ignored square."""
    squares, ignored = np.asarray(squares_N3, np.float64)[:, None], np.asarray(ignored_I3, np.float64)[None]
    apart_NI2 = np.abs(squares[..., :2] - ignored[..., :2])
    sides_NI2 = np.stack(np.broadcast_arrays(squares[..., 2], ignored[..., 2]), axis=-1)
    shared_NI2 = np.minimum(sides_NI2.min(axis=-1, keepdims=True), sides_NI2.mean(axis=-1, keepdims=True) - apart_NI2)
    share_NI: Float64Array = shared_NI2.clip(0).prod(axis=-1) / np.maximum(squares[..., 2] ** 2, 1e-9)
    return share_NI

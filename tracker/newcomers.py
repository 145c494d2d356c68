"""Places where a detector is in doubt of a new face: the frames that follow must show it, too."""

from __future__ import annotations

from collections.abc import Sequence

from startrack.tracker.associate import iou, stack_boxes
from startrack.tracker.types import FaceBox


class Newcomers:
    """The doubtful places of the last look. A place is believed when it is found again; where the landmarks read there
    are doubtful as well, it waits for one look more."""

    def __init__(self, *, sure_score: float, same_iou: float) -> None:
        """sure_score: the detector's, from which one look is enough. same_iou: overlap from which two looks found the
        same place."""
        self._sure_score = sure_score
        self._same_iou = same_iou
        self._doubted: list[FaceBox] = []
        self._waiting: list[FaceBox] = []
        """Those whose landmarks were read and were doubtful."""

    def __bool__(self) -> bool:
        """Whether the next frame must be looked at."""
        return bool(self._doubted or self._waiting)

    def forget(self) -> None:
        """Believe whatever is found next."""
        self._doubted, self._waiting = [], []

    def believed(self, boxes: Sequence[FaceBox]) -> list[FaceBox]:
        """Boxes of a look that are sure, or were found in the look before as well; the others are doubted."""
        before = [*self._doubted, *self._waiting]
        is_believed = [box.score >= self._sure_score or self._is_among(box, before) for box in boxes]
        self._doubted = [box for box, believed in zip(boxes, is_believed, strict=True) if not believed]
        return [box for box, believed in zip(boxes, is_believed, strict=True) if believed]

    def keep_waiting(self, boxes: Sequence[FaceBox]) -> list[FaceBox]:
        """Of the believed boxes of a look whose landmarks are doubtful, those that must be found once more, as the
        detector was not sure of them, either, and they have not waited for it yet."""
        waiting = [box for box in boxes if box.score < self._sure_score and not self._is_among(box, self._waiting)]
        self._waiting = waiting
        return waiting

    def _is_among(self, box: FaceBox, others: Sequence[FaceBox]) -> bool:
        overlap = iou(stack_boxes([box.xyxy]), stack_boxes([other.xyxy for other in others]))
        return float(overlap.max(initial=0.0)) >= self._same_iou

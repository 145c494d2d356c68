"""The worst frames of a video as pictures, taken while it is decoded: nothing is decoded twice."""

from __future__ import annotations

import math

import cv2
import numpy as np

from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray, Frame
from startrack.train.evaluation.worst_cases import PREDICTED_COLOUR, TRUTH_COLOUR, draw_landmarks
from startrack.train.video_evaluation.results import WorstFrame

MOMENT = 30
"""Frames of which only the worst is shown: its neighbours look the same."""
TILE = 224
"""Side of a picture in pixels."""
QUALITY = 85


class WorstFrames:
    """Keeps the pictures of the `count` worst moments; one without the face is the worst there is."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: dict[int, tuple[float, WorstFrame]] = {}

    def offer(self, frame: Frame, truth_K2: FloatArray, found_K2: FloatArray | None, nme: float) -> None:
        """A scored frame; nme as a ratio, nan if the face is missing."""
        rank, moment = (math.inf if math.isnan(nme) else nme), frame.index // MOMENT
        if not self._count or rank <= self._kept.get(moment, (-1.0,))[0]:
            return
        if moment not in self._kept and len(self._kept) == self._count:
            least = min(self._kept, key=lambda each: self._kept[each][0])
            if rank <= self._kept[least][0]:
                return
            del self._kept[least]
        self._kept[moment] = (rank, WorstFrame(frame.index + 1, nme, _picture(frame, truth_K2, found_K2)))

    def pictures(self) -> tuple[WorstFrame, ...]:
        """Worst first."""
        return tuple(kept for _, kept in sorted(self._kept.values(), key=lambda pair: (-pair[0], pair[1].number)))


def _picture(frame: Frame, truth_K2: FloatArray, found_K2: FloatArray | None) -> bytes:
    affine = crop_affine(roi_from_points(truth_K2, 1.5), TILE)
    tile = cut_crop(frame.image, affine, TILE)
    draw_landmarks(tile, transform_points(affine, truth_K2), IBUG_68, TRUTH_COLOUR)
    if found_K2 is not None:
        draw_landmarks(tile, transform_points(affine, found_K2), IBUG_68, PREDICTED_COLOUR)
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return np.asarray(encoded, np.uint8).tobytes()

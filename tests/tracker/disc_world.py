"""A world of white discs on black in place of faces: an engine and a detector that really look at the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from startrack.engines.base import LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.types import FaceBox, Frame

SPEC = ModelSpec("disc", "ibug_68", 68, 64, 16, 1.25)

_TURN = np.linspace(0, 2 * np.pi, 68, endpoint=False)
SHAPE = np.stack([np.cos(_TURN), np.sin(_TURN)], -1)
"""(68, 2) the landmarks of a disc of radius 1."""
SHAPE[36:42] = [-0.4, -0.3]
SHAPE[42:48] = [0.4, -0.3]


def disc_frame(
    discs: Sequence[tuple[float, float, float]], index: int = 0, size: tuple[int, int] = (320, 240)
) -> Frame:
    """A frame with discs (x, y, radius)."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y, radius in discs:
        centre = (round(x * 16), round(y * 16))
        cv2.circle(image, centre, round(radius * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    return Frame(image, index, index / 25)


def _look(crops: np.ndarray) -> LandmarkBatch:
    size = crops.shape[1]
    rows, columns = np.mgrid[:size, :size]
    weight = crops[..., 0].astype(np.float64) / 255
    mass = weight.sum(axis=(1, 2))
    safe = np.maximum(mass, 1e-6)
    centre = np.stack([(weight * columns).sum(axis=(1, 2)) / safe, (weight * rows).sum(axis=(1, 2)) / safe], -1)
    radius = np.sqrt(mass / np.pi)
    presence = (mass > 0.15 * size * size).astype(np.float32)
    points = centre[:, None] + SHAPE * radius[:, None, None]
    covariance = np.broadcast_to(np.eye(2, dtype=np.float32), (len(crops), 68, 2, 2))
    score = np.repeat(presence[:, None], 68, axis=1)
    return LandmarkBatch(points.astype(np.float32), covariance, score, presence)


def disc_engine() -> FakeEngine:
    """Finds the disc in each crop; without one, presence is 0."""
    return FakeEngine(SPEC, _look)


class DiscDetector(FaceDetector):
    """Finds all discs of a frame, a little beside their place; counts its calls."""

    def __init__(self, *, offset: float = 0.1) -> None:
        self.calls = 0
        self.closed = False
        self._offset = offset

    def __call__(self, frame: Frame) -> list[FaceBox]:
        self.calls += 1
        mask = (frame.image[..., 0] > 127).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        boxes = []
        for left, top, width, height, _ in stats[1:count]:
            shift = self._offset * width
            box = np.array([left, top, left + width, top + height], np.float64) + shift
            boxes.append(FaceBox(box, 0.9))
        return boxes

    def close(self) -> None:
        self.closed = True

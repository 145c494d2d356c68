"""A doubtful face beside another one is lost at once: it is being hidden, and its landmarks go astray."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from startrack.engines.base import LandmarkBatch
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.pipeline import track_frames
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import FaceBox, Frame
from tests.tracker.disc_world import SHAPE, SPEC

RADIUS, FPS, DOUBTED_FROM = 30, 25, 10


class AtFirst(FaceDetector):
    """Finds these places in the first frame, and nothing later."""

    def __init__(self, places: list[tuple[int, int]]) -> None:
        boxes = [np.array([x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS], float) for x, y in places]
        self._boxes = [FaceBox(box, 0.9) for box in boxes]

    def __call__(self, frame: Frame) -> list[FaceBox]:
        return self._boxes if frame.index == 0 else []

    def close(self) -> None:
        pass


def picture(places: list[tuple[int, int]], *, doubted: bool) -> np.ndarray:
    """A face in red, and one in green, each as if the other were not there; the green one in blue, too, if doubtful."""
    channels = [np.zeros((240, 320), np.uint8) for _ in range(3)]
    for channel, place in zip(channels, [*places, places[1]], strict=True):
        if channel is not channels[2] or doubted:
            cv2.circle(channel, place, RADIUS, 255, -1)
    return np.stack(channels, axis=-1)


def look(crops: np.ndarray) -> LandmarkBatch:
    """The face in the middle of each crop; its score is 0.1 where that is blue."""
    size = crops.shape[1]
    rows, columns = np.mgrid[:size, :size]
    points, score = [], []
    for crop in crops:
        middle = crop[size // 2, size // 2]
        mass = crop[..., 0 if middle[0] > 127 else 1] > 127
        centre = np.array([columns[mass].mean(), rows[mass].mean()])
        points.append(centre + SHAPE * np.sqrt(mass.sum() / np.pi))
        score.append(np.full(68, 0.1 if middle[2] > 127 else 0.9))
    covariance = np.broadcast_to(np.eye(2, dtype=np.float32), (len(crops), 68, 2, 2))
    return LandmarkBatch(np.array(points, np.float32), covariance, np.array(score, np.float32), np.ones(len(crops)))


@pytest.mark.parametrize(("apart", "last"), [(42, DOUBTED_FROM - 1), (80, DOUBTED_FROM + 7)], ids=["behind", "alone"])
def test_a_doubtful_face_is_lost_at_once_only_behind_another_one(apart: int, last: int) -> None:
    places = [(100, 120), (100 + apart, 120)]
    frames = [Frame(picture(places, doubted=t >= DOUBTED_FROM), t, t / FPS) for t in range(25)]
    tracked = list(track_frames(frames, AtFirst(places), FakeEngine(SPEC, look), make_smoother=NoSmoothing))
    shown = [[one.id for one in frame.tracks] for frame in tracked]
    assert shown == [[0, 1]] * (last + 1) + [[0]] * (len(frames) - last - 1)

"""A doubtful face beside another one is lost at once where the other hides it, and harder to believe as a new one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from startrack.engines.base import LandmarkBatch
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.pipeline import TrackerOptions, read_stills, track_frames
from startrack.tracker.shape.face_shape import shape_of
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import FaceBox, Frame
from tests.tracker.disc_world import SPEC

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


def face_of(radius: float) -> np.ndarray:
    """(68, 2) landmarks of a face, as high and wide as a disc."""
    shape = shape_of("ibug_68", "research")
    assert shape is not None
    points = np.stack([shape.mean.real, shape.mean.imag], axis=-1)
    low, high = points.min(axis=0), points.max(axis=0)
    return radius * (2 * points - low - high) / (high - low).max()


def engine(score: float, presence: float = 1.0) -> FakeEngine:
    """Reads the face in the middle of each crop; score and presence are those of a doubtful one."""

    def look(crops: np.ndarray) -> LandmarkBatch:
        size = crops.shape[1]
        rows, columns = np.mgrid[:size, :size]
        middles = crops[:, size // 2, size // 2] > 127
        masses = [crop[..., 0 if middle[0] else 1] > 127 for crop, middle in zip(crops, middles, strict=True)]
        points = [
            np.array([columns[mass].mean(), rows[mass].mean()]) + face_of(np.sqrt(mass.sum() / np.pi))
            for mass in masses
        ]
        covariance = np.broadcast_to(np.eye(2, dtype=np.float32), (len(crops), 68, 2, 2))
        scores = np.repeat(np.where(middles[:, 2:], score, 0.9), 68, axis=1).astype(np.float32)
        presences = np.where(middles[:, 2], presence, 1.0).astype(np.float32)
        return LandmarkBatch(np.array(points, np.float32).reshape(-1, 68, 2), covariance, scores, presences)

    return FakeEngine(SPEC, look)


@pytest.mark.parametrize(("apart", "last"), [(42, DOUBTED_FROM - 1), (80, DOUBTED_FROM + 7)], ids=["behind", "alone"])
def test_a_doubtful_face_is_lost_at_once_only_behind_another_one(apart: int, last: int) -> None:
    places = [(100, 120), (100 + apart, 120)]
    frames = [Frame(picture(places, doubted=t >= DOUBTED_FROM), t, t / FPS) for t in range(25)]
    tracked = list(track_frames(frames, AtFirst(places), engine(0.1), make_smoother=NoSmoothing))
    shown = [[one.id for one in frame.tracks] for frame in tracked]
    assert shown == [[0, 1]] * (last + 1) + [[0]] * (len(frames) - last - 1)


@pytest.mark.parametrize(
    ("score", "presence", "born"), [(0.5, 0.97, False), (0.5, 0.985, True), (0.8, 0.97, True), (0.8, 0.94, False)]
)
def test_a_doubtful_newcomer_beside_another_face_must_be_there_for_certain(
    score: float, presence: float, born: bool
) -> None:
    places = [(100, 120), (200, 120)]
    frames = [Frame(picture(places, doubted=True), 0, 0.0)]
    (both,) = track_frames(frames, AtFirst(places), engine(score, presence))
    assert len(both.tracks) == 1 + born
    (alone,) = track_frames(frames, AtFirst(places[1:]), engine(score, presence))
    assert len(alone.tracks) == (presence >= 0.95)
    (still,) = read_stills(frames, AtFirst(places), engine(score, presence))
    assert len(still.tracks) == 1 + (presence >= 0.95)


PLACES = [(100, 120), (200, 120)]


class FindsBoth(AtFirst):
    """Finds the face on the left in every frame for certain, the other one with a given score in frames 1 to last."""

    def __init__(self, score: float, last: int = 1000) -> None:
        super().__init__(PLACES)
        self._score, self._last = score, last
        self.looks: list[int] = []

    def __call__(self, frame: Frame) -> list[FaceBox]:
        sure, other = self._boxes
        self.looks.append(frame.index)
        return [sure, FaceBox(other.xyxy, self._score)] if 1 <= frame.index <= self._last else [sure]


def birth(detect: FindsBoth, score: float, *, detect_every: int = 8) -> int | None:
    """The first frame with two tracks, where landmarks of the face on the right have this mean score."""
    frames = [Frame(picture(PLACES, doubted=True), t, t / FPS) for t in range(12)]
    options = TrackerOptions(detect_every=detect_every)
    tracked = track_frames(frames, detect, engine(score, 0.985), make_smoother=NoSmoothing, options=options)
    return next((one.frame.index for one in tracked if len(one.tracks) > 1), None)


@pytest.mark.parametrize(
    ("detector_score", "landmark_score", "looks"),
    [(0.7, 0.6, [0, 8]), (0.6, 0.8, [0, 8, 9]), (0.6, 0.6, [0, 8, 9, 10])],
)
def test_a_newcomer_that_both_networks_doubt_needs_one_look_more(
    detector_score: float, landmark_score: float, looks: list[int]
) -> None:
    detect = FindsBoth(detector_score)
    assert birth(detect, landmark_score) == looks[-1]
    assert detect.looks == looks


def test_a_newcomer_that_both_networks_doubt_is_not_born_if_the_third_look_does_not_show_it() -> None:
    assert birth(FindsBoth(0.6, last=9), 0.8) == 9
    assert birth(FindsBoth(0.6, last=9), 0.6) is None


def test_where_every_frame_is_looked_at_nobody_waits() -> None:
    assert birth(FindsBoth(0.6), 0.6, detect_every=1) == 1

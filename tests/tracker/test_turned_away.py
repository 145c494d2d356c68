"""A head that turns away ends in readings that are no face; it keeps its id when it turns back."""

from __future__ import annotations

import numpy as np

from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.face_track import FaceTrack
from startrack.tracker.pipeline import TrackerOptions
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import Landmarks

FACE = HEAD_68[:, :2] * 60


def at(x: float, y: float) -> np.ndarray:
    """(68, 2) the mean head there."""
    return FACE + np.array([x, y])


def reading(points: np.ndarray, score: float) -> Landmarks:
    return Landmarks(points, np.zeros((68, 2, 2)), np.full(68, score), 1.0)


def see(face: FaceTrack, points: np.ndarray, score: float, time_s: float) -> None:
    face.see(reading(points, score), roi_from_landmarks(points, IBUG_68, 1.25), time_s)


def turned_away(*, clearly: float) -> FaceTrack:
    """30 plain frames, then ten in which the landmarks shrink onto what is left of the face, and it is lost."""
    face = FaceTrack(0, IBUG_68, 1.25, NoSmoothing)
    for t in range(30):
        see(face, at(300, 200), clearly, t / 30)
    for t in range(10):
        see(face, FACE * (1 - 0.075 * t) + [300 + 2 * t, 200 + 3 * t], 0.25, (30 + t) / 30)
    face.lose()
    return face


def test_it_is_known_by_how_it_looked_when_it_was_clear() -> None:
    face = turned_away(clearly=0.8)
    back, time_s = at(300, 200), 40 / 30 + 0.7
    most = TrackerOptions().lost_max_cost
    assert face.motion.cost(back, time_s) > most, "the last readings alone do not show it"
    assert face.unlike(back, time_s) < 0.2 * most


def test_another_face_is_as_unlike_as_before() -> None:
    """One as far away as two faces lie apart, and one of another size."""
    face = turned_away(clearly=0.8)
    time_s, most = 40 / 30 + 0.7, TrackerOptions().lost_max_cost
    assert face.unlike(at(700, 200), time_s) > most
    assert face.unlike(FACE / 4 + [500.0, 400.0], time_s) > most


def test_a_face_that_was_never_clear_is_known_by_its_last_readings() -> None:
    face = turned_away(clearly=0.4)
    last = FACE * (1 - 0.075 * 9) + [318.0, 227.0]
    assert face.unlike(last, 40 / 30) == face.motion.cost(last, 40 / 30)

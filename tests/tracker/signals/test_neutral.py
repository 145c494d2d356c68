from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.signals.neutral import LIPS, SAMPLE_S, WINDOW_S, Neutral
from startrack.tracker.signals.shapes import COLUMNS, USUAL

BROW, EYE, CORNER = COLUMNS.index("brow_inner_right"), COLUMNS.index("eye_right"), COLUMNS.index("corner_up_right")


def face(**changes: float) -> np.ndarray:
    measures = USUAL.copy()
    for name, change in changes.items():
        measures[COLUMNS.index(name)] += change
    return measures


def see(neutral: Neutral, measures: np.ndarray, *, begin_s: float, seconds: float, fps: float = 30.0) -> np.ndarray:
    found = USUAL
    for index in range(round(seconds * fps)):
        found = neutral.see(measures, begin_s + index / fps)
    return found


def test_a_face_is_compared_to_itself_at_once() -> None:
    assert Neutral().see(face(brow_inner_right=0.04), 0.0)[BROW] == pytest.approx(USUAL[BROW] + 0.04)


def test_a_short_blink_and_a_frown_do_not_count() -> None:
    neutral = Neutral()
    see(neutral, face(brow_inner_right=0.04), begin_s=0, seconds=3)
    found = see(neutral, face(eye_right=-0.25, brow_inner_right=-0.02), begin_s=3, seconds=1)
    assert found[BROW] == pytest.approx(USUAL[BROW] + 0.04)
    assert found[EYE] == USUAL[EYE]


def test_a_mouth_that_is_open_is_never_the_mouth_at_rest() -> None:
    grin = face(corner_up_right=0.05, mid_lower_inner=0.1)
    assert see(Neutral(), grin, begin_s=0, seconds=5)[CORNER] == USUAL[CORNER]
    neutral = Neutral()
    see(neutral, face(corner_up_right=0.02), begin_s=0, seconds=0.5)
    assert see(neutral, grin, begin_s=0.5, seconds=20)[CORNER] == pytest.approx(USUAL[CORNER] + 0.02)


def test_it_follows_a_face_that_has_changed_for_long() -> None:
    neutral = Neutral()
    see(neutral, face(brow_inner_right=0.04), begin_s=0, seconds=5)
    found = see(neutral, face(), begin_s=5, seconds=WINDOW_S, fps=1 / SAMPLE_S)
    assert found[BROW] == pytest.approx(USUAL[BROW])


def test_fixed_seconds_take_any_face_and_stay() -> None:
    grin = face(corner_up_right=0.05, mid_lower_inner=0.1)
    neutral = Neutral(0.5)
    first = see(neutral, grin, begin_s=10, seconds=0.5)
    np.testing.assert_allclose(first, grin)
    np.testing.assert_allclose(see(neutral, face(), begin_s=10.6, seconds=30, fps=5), grin)


def test_a_single_frame_is_enough_of_fixed_seconds() -> None:
    np.testing.assert_allclose(Neutral(0.01).see(face(eye_right=-0.3), 5.0), face(eye_right=-0.3))


def test_lips_that_touch_lie_within_the_limits() -> None:
    assert USUAL[LIPS].sum() == pytest.approx(0, abs=0.01)

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.signals.covered import SHARES, Covered
from startrack.tracker.signals.shapes import COLUMNS, USUAL

EYE, SMILE = COLUMNS.index("eye_right"), COLUMNS.index("corner_up_right")
SEEN = np.full(68, 0.97)
MOVED = USUAL + 0.1


def visibility(landmarks: range, value: float) -> np.ndarray:
    seen = SEEN.copy()
    seen[list(landmarks)] = value
    return seen


def test_each_measure_comes_from_its_landmarks() -> None:
    assert SHARES.shape == (len(COLUMNS), 68)
    np.testing.assert_allclose(SHARES.sum(axis=1), 1)
    assert set(np.flatnonzero(SHARES[EYE])) == set(range(36, 42))
    assert set(np.flatnonzero(SHARES[COLUMNS.index("brow_inner_right")])) == {20, 21, 36, 39}


def test_a_face_in_plain_view_passes_as_it_is() -> None:
    covered = Covered()
    np.testing.assert_allclose(covered(MOVED, USUAL, SEEN, 0.0), MOVED)
    np.testing.assert_allclose(covered(MOVED, USUAL, 0.5 * SEEN, 0.1), MOVED)  # dark or blurred all over
    np.testing.assert_array_equal(covered(MOVED, USUAL, None, 0.2), MOVED)


def test_what_is_covered_stays_and_goes_back_to_rest() -> None:
    covered = Covered()
    covered(MOVED, USUAL, SEEN, 0.0)
    hidden = visibility(range(48, 68), 0.5)
    soon = covered(USUAL - 0.3, USUAL, hidden, 0.1)
    assert soon[SMILE] == pytest.approx(MOVED[SMILE], abs=0.01)
    assert soon[COLUMNS.index("brow_inner_right")] == pytest.approx(USUAL[COLUMNS.index("brow_inner_right")] - 0.3)
    late = covered(USUAL - 0.3, USUAL, hidden, 20.0)
    assert late[SMILE] == pytest.approx(USUAL[SMILE], abs=0.01)
    assert covered(USUAL - 0.3, USUAL, SEEN, 20.1)[SMILE] == pytest.approx(USUAL[SMILE] - 0.3)


def test_an_eye_behind_a_hand_may_shut_but_not_open_wide() -> None:
    covered, hidden = Covered(), visibility(range(36, 42), 0.5)
    covered(USUAL, USUAL, SEEN, 0.0)
    assert covered(MOVED, USUAL, hidden, 0.1)[EYE] == pytest.approx(USUAL[EYE])
    assert covered(USUAL - 0.2, USUAL, hidden, 0.2)[EYE] == pytest.approx(USUAL[EYE] - 0.2)


def test_a_reading_gone_astray_just_before_the_cover_is_noticed_does_not_stay() -> None:
    covered, hidden = Covered(), visibility(range(36, 42), 0.5)
    for frame in range(30):
        covered(USUAL, USUAL, SEEN, frame / 30)
    assert covered(MOVED, USUAL, SEEN, 30 / 30)[EYE] == pytest.approx(MOVED[EYE])
    for frame in range(31, 40):
        assert covered(MOVED, USUAL, hidden, frame / 30)[EYE] < USUAL[EYE] + 0.25 * 0.1

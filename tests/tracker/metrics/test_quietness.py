from __future__ import annotations

import math

import numpy as np
import pytest

from startrack.tracker.metrics.quietness import mean_blink, near_blinks, onset_frames, restlessness


def test_second_differences_by_hand() -> None:
    values = np.array([[0.0], [0.1], [0.0], [0.0], [5.0]])
    counted = np.array([True, True, True, True, False])
    # 0 - 0.2 + 0, then 0.1 - 0 + 0
    assert restlessness(values, counted).tolist() == pytest.approx([math.sqrt((0.04 + 0.01) / 2)])
    assert restlessness(values, np.zeros(5, np.bool_)).tolist() == [0.0]


def test_frames_near_a_blink() -> None:
    blink = np.array([0, 0, 0, 0.5, 0, 0, 0, 0.05])
    assert np.flatnonzero(near_blinks(blink, margin=1)).tolist() == [2, 3, 4]


def test_the_mean_blink_and_its_onset() -> None:
    values = np.array([0.1, 0.5, 0.9, 0.1, 0.1, 0.3, 0.5, 0.1, 0.1])
    curve = mean_blink(values, np.array([0, 4, 8]), 4)  # the third has no room
    np.testing.assert_allclose(curve, [0, 0.3, 0.6, 0])
    assert onset_frames(curve) == pytest.approx(1.0)
    assert onset_frames(np.array([0, 0.2, 0.8, 0])) == pytest.approx(1 + 0.2 / 0.6)
    assert math.isnan(onset_frames(np.zeros(3)))

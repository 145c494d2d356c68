"""Against two steps worked out by hand, and against the textbook's matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.motion.constant_velocity import ConstantVelocity


def test_two_steps_by_hand() -> None:
    belief = ConstantVelocity(4.0)
    belief.predict(1.0, np.sqrt(3.0))  # Q of a white acceleration: 3 · [1/3, 1/2; 1/2, 1]
    assert [float(value) for value in (belief.pp, belief.pv, belief.vv)] == pytest.approx([5.0, 1.5, 3.0])
    weight, gain, gain_v = belief.gains(5.0)
    assert float(weight) == pytest.approx(0.1)
    assert [float(gain), float(gain_v)] == pytest.approx([0.5, 0.15])
    assert [float(value) for value in (belief.pp, belief.pv, belief.vv)] == pytest.approx([2.5, 0.75, 3 - 0.15 * 1.5])


@given(st.lists(st.tuples(st.floats(0.001, 0.5), st.floats(0.1, 10)), min_size=1, max_size=8))
def test_variances_are_the_textbooks(steps: list[tuple[float, float]]) -> None:
    belief, acceleration = ConstantVelocity(np.full((3, 2), 2.0)), 0.7
    covariance = np.diag([2.0, 0.0])
    for step_s, noise in steps:
        move = np.array([[1, step_s], [0, 1]])
        drive = acceleration**2 * np.array([[step_s**3 / 3, step_s**2 / 2], [step_s**2 / 2, step_s]])
        covariance = move @ covariance @ move.T + drive
        gain = covariance[:, 0] / (covariance[0, 0] + noise)
        covariance = (np.eye(2) - np.outer(gain, [1, 0])) @ covariance
        belief.predict(step_s, acceleration)
        _, *found = belief.gains(noise)
        np.testing.assert_allclose(found[0], np.full((3, 2), gain[0]), rtol=1e-9)
        np.testing.assert_allclose(found[1], np.full((3, 2), gain[1]), rtol=1e-9, atol=1e-15)


def test_a_needed_variance_is_reached_and_never_undercut() -> None:
    belief = ConstantVelocity(np.array([1.0, 1.0]))
    belief.predict(1.0, 1.0)
    before = belief.pp.copy(), belief.pv.copy()
    belief.grow(np.array([10.0, 0.1]))
    np.testing.assert_allclose(belief.pp, [10.0, before[0][1]])
    np.testing.assert_allclose(belief.pv / belief.pp, before[1] / before[0])

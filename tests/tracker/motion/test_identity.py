from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.motion.identity import FaceMotion, same_face
from tests.tracker.disc_world import SHAPE


def walking(frames: int = 30, speed: float = 60.0) -> FaceMotion:
    """A face of radius 20 that walks to the right, 25 frames a second."""
    motion = FaceMotion()
    for t in range(frames):
        motion.see(SHAPE * 20 + [100 + speed * t / 25, 50], t / 25)
    return motion


def test_a_face_goes_on_as_it_went_but_not_for_ever() -> None:
    motion, last = walking(), 29 / 25
    middle = SHAPE.mean(axis=0) * 20
    soon, size = motion.predict(last + 0.04)
    np.testing.assert_allclose([soon.real, soon.imag] - middle, [100 + 60 * (last + 0.04), 50], atol=0.2)
    assert size == pytest.approx(20 * np.sqrt(((SHAPE - SHAPE.mean(axis=0)) ** 2).sum(axis=1).mean()))
    # a coast of 0.6 s at full speed at most
    late, _ = motion.predict(last + 100)
    np.testing.assert_allclose([late.real, late.imag] - middle, [100 + 60 * (last + 0.6), 50], atol=0.3)


def test_surprise_is_least_where_the_face_should_be() -> None:
    motion, now = walking(), 30 / 25
    place = np.array([100 + 60 * now, 50])
    right = motion.surprise(SHAPE * 20 + place, now)
    assert right < 0.05
    assert motion.surprise(SHAPE * 20 + place + [20, 0], now) == pytest.approx(1.0, abs=0.15)
    assert motion.surprise(SHAPE * 40 + place, now) > right + np.log(2) - 0.1
    longer = SHAPE * [20, 24] + place
    assert right + 0.1 < motion.surprise(longer, now) < 0.6


def test_two_heads_together_stay_two() -> None:
    first = SHAPE * 20 + 100
    assert same_face(first, first + 5, within=0.25)
    assert not same_face(first, first + np.array([15, 0]), within=0.25)  # boxes overlap by half

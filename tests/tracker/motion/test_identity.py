from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.motion.identity import FaceMotion, inside_face, same_face
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


def test_the_cost_is_least_where_the_face_should_be() -> None:
    motion, now = walking(), 30 / 25
    place = np.array([100 + 60 * now, 50])
    right = motion.cost(SHAPE * 20 + place, now)
    assert right < 0.05
    assert motion.cost(SHAPE * 20 + place + [20, 0], now) == pytest.approx(1.0, abs=0.15)
    assert motion.cost(SHAPE * 40 + place, now) > right + np.log(2) - 0.1
    longer = SHAPE * [20, 24] + place
    assert right + 0.1 < motion.cost(longer, now) < 0.6


def test_a_face_found_again_in_the_frame_that_lost_it_goes_on_as_it_went() -> None:
    motion, last = walking(), 29 / 25
    motion.see(SHAPE * 20 + [100 + 60 * last, 58], last)
    middle = SHAPE.mean(axis=0) * 20
    soon, _ = motion.predict(last + 0.04)
    np.testing.assert_allclose([soon.real, soon.imag] - middle, [100 + 60 * (last + 0.04), 58], atol=0.2)


def test_an_unseen_face_may_have_stopped_or_gone_on_but_not_turned_back() -> None:
    motion, last = walking(speed=100.0), 29 / 25
    place, now = np.array([100 + 100 * last, 50]), last + 0.6
    gone = {share: motion.cost(SHAPE * 20 + place + [60 * share, 0], now) for share in (-0.5, 0, 0.5, 1, 1.5)}
    assert max(gone[0], gone[0.5], gone[1]) < 0.45
    assert min(gone[-0.5], gone[1.5]) > 1.2
    # it has most likely slowed down, as for a face that is where it was predicted
    expected, _ = motion.predict(now)
    middle = complex(*(SHAPE.mean(axis=0) * 20 + place))
    assert motion.cost(SHAPE * 20 + place + [(expected - middle).real, 0], now) < min(gone[0], gone[1])


def test_two_heads_together_stay_two() -> None:
    first = SHAPE * 20 + 100
    assert same_face(first, first + 5, within=0.25)
    assert not same_face(first, first + np.array([15, 0]), within=0.25)  # boxes overlap by half


def test_a_turning_face_costs_little_through_a_whole_turn() -> None:
    motion = FaceMotion()
    for t in range(60):
        angle = np.radians(8 * t)
        turned = SHAPE @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * 20 + 100
        if t > 2:
            assert motion.cost(turned, t / 30) < 0.1
        motion.see(turned, t / 30)
    assert motion.cost(SHAPE * 20 + 100, 60 / 30) > 1  # upright again at once


@pytest.mark.parametrize("gap", [1, 3, 6])
def test_a_fast_newborn_is_recognised_some_frames_later(gap: int) -> None:
    """36 % of the face's side a frame; seen once, or twice, and then not for some frames."""
    step = np.array([0.36 * 40, 0])
    for seen, limit in ((1, 2.5), (2, 0.5)):
        motion = FaceMotion()
        for t in range(seen):
            motion.see(SHAPE * 20 + 100 + t * step, t / 30)
        t = seen - 1 + gap
        assert motion.cost(SHAPE * 20 + 100 + t * step, t / 30) < limit * (1 if seen == 1 else max(gap, 2))
    known = walking(speed=0.0)
    assert known.cost(SHAPE * 20 + [100 + 6 * step[0], 50], 29 / 25 + 6 / 30) > 2.5


def test_a_part_of_a_face_is_no_face() -> None:
    face, mouth = SHAPE * 40 + 100, SHAPE * 10 + [100, 115]
    assert inside_face(mouth, face, smaller=0.6)
    assert not inside_face(face, mouth, smaller=0.6)
    assert not inside_face(SHAPE * 30 + 100, face, smaller=0.6)  # nearly as large: another reading of it
    assert not inside_face(SHAPE * 10 + [145, 115], face, smaller=0.6)  # beside it


def test_a_copy_of_a_motion_stays_as_it_was() -> None:
    face, other = FaceMotion(), SHAPE * [1.0, 1.3]
    for t in range(5):
        face.see(100 + 10 * t + 20 * SHAPE, t / 25)
    copy, (middle, size) = face.copy(), face.predict(4 / 25)
    for t in range(5, 30):
        face.see(300 - 10 * t + 60 * other, t / 25)
    assert copy.predict(4 / 25) == (middle, size)
    assert copy.cost(140 + 20 * SHAPE, 4 / 25) == pytest.approx(0, abs=1e-9)
    assert face.cost(140 + 20 * SHAPE, 30 / 25) > 1

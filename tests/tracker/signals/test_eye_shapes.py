from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from startrack.tracker.signals.eye_shapes import LOOKS, UsualOpenness, blink_values, look_values
from tests.tracker.eyes.made_eyes import eyes

USUAL = np.ones(2)


@pytest.mark.parametrize(
    ("aside_deg", "down_deg", "expected"),
    [
        (0, 0, {}),
        # to the picture's right: to the face's own left
        (16, 0, {"eyeLookInRight": 0.5, "eyeLookOutLeft": 0.5}),
        (-32, 0, {"eyeLookOutRight": 1.0, "eyeLookInLeft": 1.0}),
        (0, 11, {"eyeLookDownRight": 0.5, "eyeLookDownLeft": 0.5}),
        (0, -40, {"eyeLookUpRight": 1.0, "eyeLookUpLeft": 1.0}),
    ],
)
def test_looks_by_hand(aside_deg: float, down_deg: float, expected: dict[str, float]) -> None:
    found = look_values(eyes(aside_deg, down_deg))
    assert tuple(found) == LOOKS
    assert {name: value for name, value in found.items() if value > 1e-9} == pytest.approx(expected)


def test_each_eye_shuts_by_itself() -> None:
    winking = replace(eyes(), openness=np.array([0.15, 1.0]))
    found = blink_values(winking, USUAL)
    assert found["eyeBlinkRight"] == pytest.approx(1.0)
    assert found["eyeBlinkLeft"] == pytest.approx(0.0)


def test_lids_that_follow_the_gaze_down_are_no_blink() -> None:
    lowered = replace(eyes(0, 22), openness=np.array([0.65, 0.65]))
    assert blink_values(lowered, USUAL)["eyeBlinkLeft"] == pytest.approx(0.0, abs=0.01)
    level = replace(eyes(), openness=np.array([0.65, 0.65]))
    assert blink_values(level, USUAL)["eyeBlinkLeft"] > 0.4


def test_narrow_eyes_are_a_persons_own() -> None:
    usual = UsualOpenness()
    for index in range(60):
        usual.see(np.array([0.8, 0.9]), index / 30)
    now = usual.see(np.array([0.1, 0.1]), 2.0)  # a blink does not count
    np.testing.assert_allclose(now, [0.8, 0.9])
    narrow = replace(eyes(), openness=np.array([0.8, 0.9]))
    assert max(abs(value) for value in blink_values(narrow, now).values()) < 1e-9


def test_first_seconds_that_are_neutral_stay() -> None:
    usual = UsualOpenness(0.5)
    for index in range(90):
        usual.see(np.array([0.7, 0.7]) if index < 15 else np.array([1.0, 1.0]), index / 30)
    np.testing.assert_allclose(usual.see(np.array([1.0, 1.0]), 3.0), [0.7, 0.7])

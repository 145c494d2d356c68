from __future__ import annotations

import math

import numpy as np

from tracker.cuts import CutDetector
from tracker.face_track import steady_roi
from tracker.types import Roi


def test_roi_stays_put_over_a_still_face_and_follows_a_moving_one() -> None:
    present = Roi(np.array([50.0, 60.0]), 100.0, math.pi - 0.01)
    near = Roi(np.array([52.0, 60.0]), 103.0, -math.pi + 0.01)
    assert steady_roi(present, near) is present
    for far in (Roi(near.centre + 5, 100.0, math.pi), Roi(near.centre, 110.0, math.pi), Roi(near.centre, 100.0, 3.0)):
        assert steady_roi(present, far) is far


def test_a_cut_is_another_scene_not_a_light_or_a_shake() -> None:
    rng = np.random.default_rng(1)
    scene, other = (np.kron(rng.integers(0, 200, (9, 16, 3)), np.ones((40, 40, 1))).astype(np.uint8) for _ in range(2))
    is_cut = CutDetector()
    assert not is_cut(scene)
    assert not is_cut(np.roll(scene, 4, axis=1))
    assert not is_cut((scene * 0.5).astype(np.uint8))
    assert is_cut(other)
    assert not is_cut(other)

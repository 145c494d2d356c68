from __future__ import annotations

import numpy as np

from startrack.tracker.motion.cuts import CutDetector


def test_a_cut_is_another_scene_not_a_light_or_a_shake() -> None:
    rng = np.random.default_rng(1)
    scene, other = (np.kron(rng.integers(0, 200, (9, 16, 3)), np.ones((40, 40, 1))).astype(np.uint8) for _ in range(2))
    is_cut = CutDetector()
    assert not is_cut(scene)
    assert not is_cut(np.roll(scene, 4, axis=1))
    assert not is_cut((scene * 0.5).astype(np.uint8))
    assert is_cut(other)
    assert not is_cut(other)

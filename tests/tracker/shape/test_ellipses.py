from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.shape.ellipses import PARTS, share_within, squared_radius


def test_the_stated_radii() -> None:
    assert sum(weight for weight, _ in PARTS) == pytest.approx(1)
    assert squared_radius(0.5) == pytest.approx(1.30, abs=0.01)
    assert squared_radius(0.9) == pytest.approx(5.0, abs=0.1)
    assert squared_radius(0.0) == pytest.approx(0)
    for level in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="expected 0 to below 1"):
            squared_radius(level)


@given(st.floats(0, 0.9999))
def test_radius_and_share_are_inverse(level: float) -> None:
    assert share_within(squared_radius(level)) == pytest.approx(level, abs=1e-9)


def test_draws_from_the_mixture_lie_within_the_ellipses() -> None:
    rng = np.random.default_rng(0)
    scale = np.where(rng.random(40_000) < PARTS[0][0], PARTS[0][1], PARTS[1][1])
    squared = scale * (rng.normal(size=(40_000, 2)) ** 2).sum(axis=1)
    for level in (0.5, 0.9, 0.99):
        assert (squared <= squared_radius(level)).mean() == pytest.approx(level, abs=0.01)

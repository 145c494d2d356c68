"""Factors that were put in are found again, and the ellipses hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.schemes import IBUG_68
from train.calibration import Errors, cross_validated, fit_scales

CURVES = [edge.indices for edge in IBUG_68.edges]


def gaussian_errors(wide: np.ndarray, faces: int = 150) -> Errors:
    """Errors of Gaussians whose stated covariance is `wide` times too large."""
    rng = np.random.default_rng(0)
    true = rng.uniform(0.5, 4, (faces, 68, 1, 1)) * np.array([[2.0, 0.5], [0.5, 1.0]])
    error = (np.linalg.cholesky(true) @ rng.normal(size=(faces, 68, 2, 1)))[..., 0]
    return Errors(error, true * wide[:, None, None])


def test_factors_that_were_put_in_are_found_again() -> None:
    wide = np.full(68, 3.0)
    wide[36:48] = 8.0
    found = gaussian_errors(wide)
    scale = fit_scales(found, CURVES)
    np.testing.assert_allclose(scale[36:48], 1 / 8, rtol=0.15)
    np.testing.assert_allclose(scale[:36], 1 / 3, rtol=0.15)
    assert found.coverage()[0] > 0.8
    assert found.scaled(scale).coverage() == pytest.approx((0.5, 0.9), abs=0.015)
    assert cross_validated(found, CURVES) == pytest.approx((0.5, 0.9), abs=0.02)


def test_an_honest_covariance_is_left_alone() -> None:
    np.testing.assert_allclose(fit_scales(gaussian_errors(np.ones(68)), CURVES), 1, rtol=0.15)


def test_a_landmark_on_no_curve_speaks_for_itself() -> None:
    wide = np.ones(68)
    wide[67] = 5.0
    scale = fit_scales(gaussian_errors(wide), [range(67)])
    assert scale[67] == pytest.approx(1 / 5, rel=0.2)

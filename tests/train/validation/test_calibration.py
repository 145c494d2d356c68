"""Factors and a growth that were put in are found again, and the ellipses hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.train.validation.calibration import Calibration, Errors, concatenated, cross_validated, fit_calibration

CURVES = [edge.indices for edge in IBUG_68.edges]


def gaussian_errors(wide: np.ndarray, faces: int = 150, *, growth: float = 0.0, hard: float = 1.0) -> Errors:
    """Errors of Gaussians whose stated covariance is `wide` times too large, and on faces of t times the spread also
    too small by t to the power of growth; hard: typical t."""
    rng = np.random.default_rng(0)
    spread = hard * np.exp(rng.normal(0, 0.4, (faces, 1, 1, 1)))
    stated = rng.uniform(0.5, 4, (faces, 68, 1, 1)) * spread * np.array([[2.0, 0.5], [0.5, 1.0]])
    error = (np.linalg.cholesky(stated * spread**growth) @ rng.normal(size=(faces, 68, 2, 1)))[..., 0]
    return Errors(error, stated * wide[:, None, None])


def fixed_factors(fitted: Calibration, found: Errors) -> np.ndarray:
    """(K,) what the covariances of a face of mean spread are multiplied with."""
    return np.asarray(fitted.scale * np.exp(fitted.growth * found.spread().mean()))


def test_factors_that_were_put_in_are_found_again() -> None:
    wide = np.full(68, 3.0)
    wide[36:48] = 8.0
    found = gaussian_errors(wide)
    fitted = fit_calibration(found, CURVES)
    assert fitted.growth == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(fixed_factors(fitted, found)[36:48], 1 / 8, rtol=0.15)
    np.testing.assert_allclose(fixed_factors(fitted, found)[:36], 1 / 3, rtol=0.15)
    assert found.coverage()[0] > 0.8
    assert fitted(found).coverage() == pytest.approx((0.5, 0.9), abs=0.015)
    assert cross_validated([found], CURVES)[0] == pytest.approx((0.5, 0.9), abs=0.02)


@pytest.mark.parametrize("growth", [0.0, 0.6, 1.3])
def test_hard_faces_get_the_doubt_that_they_need(growth: float) -> None:
    plain, hard = (gaussian_errors(np.ones(68), growth=growth, hard=each) for each in (1.0, 3.0))
    fitted = fit_calibration(concatenated([plain, hard]), CURVES)
    assert fitted.growth == pytest.approx(growth, abs=0.05)
    for before, after in zip((plain, hard), cross_validated([plain, hard], CURVES), strict=True):
        assert fitted(before).coverage() == pytest.approx((0.5, 0.9), abs=0.02)
        assert after == pytest.approx((0.5, 0.9), abs=0.025)
    assert growth < 0.5 or hard.coverage()[1] < 0.8


def test_doubt_grows_no_further_than_it_was_fitted() -> None:
    found = gaussian_errors(np.ones(68), growth=1.0)
    fitted = fit_calibration(found, CURVES)
    far = Errors(found.error, 1e3 * found.covariance)
    ratio = fitted(far).covariance / far.covariance
    assert fitted.widest == found.spread().max()
    np.testing.assert_allclose(ratio[:, 0, 0, 0], fitted.scale[0] * np.exp(fitted.growth * fitted.widest))


def test_faces_that_doubt_too_much_do_not_shrink_each_other() -> None:
    assert fit_calibration(gaussian_errors(np.ones(68), growth=-0.5), CURVES).growth == 0


def test_a_landmark_on_no_curve_speaks_for_itself() -> None:
    wide = np.ones(68)
    wide[67] = 5.0
    found = gaussian_errors(wide)
    assert fixed_factors(fit_calibration(found, [range(67)]), found)[67] == pytest.approx(1 / 5, rel=0.2)

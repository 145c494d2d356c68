"""Factors and growths that were put in are found again, the ellipses hold what they promise, covered landmarks show."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.shape.ellipses import PARTS
from startrack.train.validation.calibration import (
    LEVELS,
    TOLERANCES,
    Calibration,
    Errors,
    balanced,
    chance_of_order,
    concatenated,
    cross_validated,
    fit_calibration,
)

CURVES = [edge.indices for edge in IBUG_68.edges]


def made_errors(
    wide: np.ndarray, faces: int = 150, *, growth: float = 0.0, hard: float = 1.0, covered: float = 1.0
) -> Errors:
    """Errors of the stated mixture whose covariance is `wide` times too large, and on faces of t times the spread also
    too small by t to the power of growth; hard: typical t. covered: how many times wider the stated covariance of one
    covered curve in four is, and that much again its errors' own."""
    rng = np.random.default_rng(0)
    spread = hard * np.exp(rng.normal(0, 0.4, (faces, 1, 1, 1)))
    stated = rng.uniform(0.5, 4, (faces, 68, 1, 1)) * spread * np.array([[2.0, 0.5], [0.5, 1.0]])
    true = stated * spread**growth
    hidden = np.zeros((faces, 68), bool)
    if covered > 1:
        for curve in CURVES:
            hidden[:, list(curve)] = rng.random((faces, 1)) < 0.25
        stated = np.where(hidden[..., None, None], covered, 1.0) * stated
        true = np.where(hidden[..., None, None], covered**2, 1.0) * true
    mixed = np.sqrt(np.where(rng.random((faces, 68, 1)) < PARTS[0][0], PARTS[0][1], PARTS[1][1]))
    error = mixed * (np.linalg.cholesky(true) @ rng.normal(size=(faces, 68, 2, 1)))[..., 0]
    return Errors(error, stated * wide[:, None, None], hidden)


def factors(fitted: Calibration, found: Errors) -> np.ndarray:
    """(K,) what the covariances are multiplied with, geometric mean over the faces."""
    after = fitted(found).covariance[..., 0, 0] / found.covariance[..., 0, 0]
    return np.asarray(np.exp(np.log(after).mean(axis=0)))


def test_factors_that_were_put_in_are_found_again() -> None:
    wide = np.full(68, 3.0)
    wide[36:48] = 8.0
    found = made_errors(wide)
    fitted = fit_calibration(found, CURVES)
    assert fitted.growth == pytest.approx((0, 0, 0), abs=0.12)
    np.testing.assert_allclose(factors(fitted, found)[36:48], 1 / 8, rtol=0.2)
    np.testing.assert_allclose(factors(fitted, found)[:36], 1 / 3, rtol=0.2)
    assert found.coverage()[0] > 0.75
    assert fitted(found).coverage() == pytest.approx((0.5, 0.9), abs=0.015)
    assert cross_validated([found], CURVES)[0] == pytest.approx((0.5, 0.9), abs=0.02)


@pytest.mark.parametrize("growth", [0.0, 0.6, 1.3])
def test_hard_faces_get_the_doubt_that_they_need(growth: float) -> None:
    plain, hard = (made_errors(np.ones(68), growth=growth, hard=each) for each in (1.0, 3.0))
    fitted = fit_calibration(concatenated([plain, hard]), CURVES)
    assert fitted.growth[2] == pytest.approx(growth, abs=0.1)
    for before, after in zip((plain, hard), cross_validated([plain, hard], CURVES), strict=True):
        assert fitted(before).coverage() == pytest.approx((0.5, 0.9), abs=0.025)
        assert after == pytest.approx((0.5, 0.9), abs=0.03)
    assert growth < 0.5 or hard.coverage()[1] < 0.8


def test_a_covered_curve_is_less_sure_and_less_visible() -> None:
    found = made_errors(np.ones(68), faces=200, covered=5.0)
    assert found.hidden is not None
    fitted = fit_calibration(found, CURVES)
    assert 0.4 < fitted.growth[1] < 1.2
    held = fitted(found)
    size = np.trace(held.covariance, axis1=-2, axis2=-1)
    assert np.median(size[found.hidden]) > 10 * np.median(size[~found.hidden])
    assert held.coverage() == pytest.approx((0.5, 0.9), abs=0.03)
    visibility = fitted.visibility(found)
    assert visibility.min() >= 0
    assert visibility.max() <= 1
    assert chance_of_order(visibility, found.hidden) > 0.9
    assert visibility.mean() == pytest.approx(1 - found.hidden.mean(), abs=0.03)


def test_without_a_covered_landmark_all_are_visible() -> None:
    found = made_errors(np.ones(68))
    for each in (found, Errors(found.error, found.covariance)):
        assert fit_calibration(each, CURVES).visibility(each).min() > 0.99


def test_order_by_hand() -> None:
    visibility, hidden = np.array([[0.1, 0.8, 0.3, 0.9]]), np.array([[True, True, False, False]])
    assert chance_of_order(visibility, hidden) == pytest.approx(3 / 4)


def test_doubt_grows_no_further_than_it_was_fitted() -> None:
    found = made_errors(np.ones(68), growth=1.0)
    fitted = fit_calibration(found, CURVES)
    far = Errors(found.error, 1e3 * found.covariance)
    ratio = fitted(far).covariance / far.covariance
    expected = np.exp(np.full(68, fitted.widest) @ fitted.weights + fitted.bias)
    np.testing.assert_allclose(ratio[:, :, 0, 0], np.broadcast_to(expected, (150, 68)))


def test_faces_that_doubt_too_much_do_not_shrink_each_other() -> None:
    assert fit_calibration(made_errors(np.ones(68), growth=-0.5), CURVES).growth[2] == 0


def test_a_landmark_on_no_curve_speaks_for_itself() -> None:
    wide = np.ones(68)
    wide[67] = 5.0
    found = made_errors(wide)
    assert factors(fit_calibration(found, [range(67)]), found)[67] == pytest.approx(1 / 5, rel=0.3)


def test_conditions_share_what_cannot_be_met_by_all() -> None:
    """Faces of one condition err half as much as those of the other by the same heatmaps."""
    doubtful, plain = made_errors(np.ones(68), growth=0.0), made_errors(np.ones(68), growth=0.0)
    doubtful = Errors(0.8 * doubtful.error, doubtful.covariance, doubtful.hidden)
    crowd = [doubtful.of(np.arange(20)), plain]
    fitted = fit_calibration(concatenated(crowd), CURVES)
    misses = []
    for calibration in (fitted, balanced(fitted, crowd)):
        held = np.array([calibration(part).coverage() for part in crowd])
        misses.append(np.abs(held - np.array(LEVELS)) / TOLERANCES)
        assert np.ptp(calibration.bias - fitted.bias) < 1e-12
    assert misses[1].max() < 0.8 * misses[0].max()
    # of the two conditions each misses about as much
    assert misses[1].max(axis=1).min() > 0.7 * misses[1].max()

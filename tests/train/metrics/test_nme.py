"""NME and its relatives: by hand, by closed form, and against the official STAR code's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.integrate import simpson

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme, plain_scheme
from startrack.tracker.shape.ellipses import PARTS
from startrack.train.metrics.nme import (
    NORMALISERS,
    area_under_ced,
    bootstrap_interval,
    ced,
    ellipse_coverage,
    failure_rate,
    inter_ocular,
    inter_pupil,
    landmark_errors,
    nme,
    star_failure_rate_and_auc,
    summarise,
)
from startrack.train.metrics.protocols import IBUG_300W_PROTOCOL, SCHEME_PROTOCOLS

FACES = npst.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 0.3))
THRESHOLDS = st.sampled_from([0.05, 0.08, 0.10])
MARKUPS = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}


def test_nme_is_the_mean_distance_over_the_normaliser() -> None:
    truth = np.array([[[0.0, 0.0], [10.0, 0.0]], [[0.0, 0.0], [0.0, 50.0]]])
    predicted = truth + np.array([[[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert nme(predicted, truth, np.array([100.0, 50.0])) == pytest.approx([0.03, 0.0])
    assert landmark_errors(predicted, truth, np.array([100.0, 50.0]))[0].tolist() == [0.05, 0.01]


@pytest.mark.parametrize(
    ("predicted", "normaliser"),
    [
        (np.zeros((1, 3, 2)), np.ones(1)),
        (np.zeros((1, 2, 2)), np.ones(2)),
        (np.full((1, 2, 2), np.nan), np.ones(1)),
        (np.zeros((1, 2, 2)), np.zeros(1)),
        (np.zeros((1, 2, 2)), np.array([np.nan])),
    ],
)
def test_nme_refuses_what_has_no_answer(predicted: np.ndarray, normaliser: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"not one set|not finite|must be positive"):
        nme(predicted, np.zeros((1, 2, 2)), normaliser)


def test_normalisers_by_hand() -> None:
    truth = np.zeros((1, 68, 2))
    truth[0, 36:42] = [[0, 0], [1, 2], [3, 2], [4, 0], [3, -2], [1, -2]]
    truth[0, 42:48] = truth[0, 36:42] + [10, 0]
    truth[0, 45] = [14, 3]
    assert inter_ocular(truth, IBUG_68)[0] == pytest.approx(np.hypot(14, 3))
    assert inter_pupil(truth, IBUG_68)[0] == pytest.approx(np.hypot(10, 0.5))
    assert NORMALISERS["box"](truth, IBUG_68)[0] == pytest.approx(np.sqrt(14 * 5))
    assert NORMALISERS["diagonal"](truth, IBUG_68)[0] == pytest.approx(np.hypot(14, 5))
    truth[0, 5] = np.nan  # not annotated
    assert NORMALISERS["box"](truth, IBUG_68)[0] == pytest.approx(np.sqrt(14 * 5))


def test_pupils_come_before_the_middle_of_the_eyes() -> None:
    truth = np.zeros((1, 98, 2))
    truth[0, 97] = [3, 4]
    assert inter_pupil(truth, WFLW_98)[0] == 5


@pytest.mark.parametrize("normaliser", [inter_ocular, inter_pupil])
def test_a_markup_without_eyes_has_no_such_distance(normaliser: Callable[..., np.ndarray]) -> None:
    with pytest.raises(ValueError, match="points_5 has no eye"):
        normaliser(np.zeros((1, 5, 2)), plain_scheme(5))


def test_a_landmark_that_is_not_annotated_has_no_error() -> None:
    truth = np.array([[[0.0, 0.0], [np.nan, np.nan]]])
    errors = landmark_errors(np.array([[[3.0, 4.0], [7.0, 7.0]]]), truth, np.array([10.0]), np.array([[True, False]]))
    np.testing.assert_array_equal(errors, [[0.5, np.nan]])
    with pytest.raises(ValueError, match="not finite"):
        landmark_errors(np.zeros((1, 2, 2)), truth, np.array([10.0]))


def test_failure_rate_ced_and_area_by_hand() -> None:
    faces = np.array([0.02, 0.05, 0.10, 0.20])
    assert failure_rate(faces, 0.10) == 0.25  # a face on the threshold has not failed
    assert ced(faces, np.array([0.0, 0.02, 0.06, 0.2])).tolist() == [0, 0.25, 0.5, 1]
    # steps of 1/4 at 2, 5 and 10 %: (8 + 5 + 0) / 4 of 10
    assert area_under_ced(faces, 0.10) == pytest.approx(0.325)


def test_summary_is_in_per_cent() -> None:
    result = summarise(np.array([0.02, 0.06, 0.09, 0.23]))
    assert (result.nme, result.faces) == (pytest.approx(10), 4)
    assert (result.fr5, result.fr8, result.fr10) == (75, 50, 25)
    assert (result.auc5, result.auc8) == (pytest.approx(15), pytest.approx(100 * (0.75 + 0.25) / 4))
    assert result.auc10 == pytest.approx(100 * (0.8 + 0.4 + 0.1) / 4)


@pytest.mark.parametrize("faces", [np.zeros(0), np.array([0.1, np.nan]), np.zeros((2, 2))])
def test_no_figure_without_one_finite_value_per_face(faces: np.ndarray) -> None:
    for function in (lambda: failure_rate(faces, 0.1), lambda: area_under_ced(faces, 0.1), lambda: summarise(faces)):
        with pytest.raises(ValueError, match="one finite value per face"):
            function()


@given(FACES, THRESHOLDS)
def test_area_is_the_integral_of_the_ced(faces: np.ndarray, threshold: float) -> None:
    steps = 20_000
    middles = (np.arange(steps) + 0.5) * threshold / steps
    assert area_under_ced(faces, threshold) == pytest.approx(ced(faces, middles).mean(), abs=1e-4)


@given(FACES, THRESHOLDS)
def test_star_numbers_are_scipys_on_the_official_grid(faces: np.ndarray, threshold: float) -> None:
    grid = np.arange(0, threshold + 1e-4, 1e-4)
    curve = np.array([np.count_nonzero(faces <= x) / len(faces) for x in grid])
    rate, area = star_failure_rate_and_auc(faces, threshold)
    assert rate == pytest.approx(1 - curve[-1], abs=6e-5)
    assert area == pytest.approx(simpson(curve, x=grid) / threshold, abs=1.1e-6)
    # the official grid at 0.05 ends one step later; Simpson's rule errs by up to 4/3 of a step at a jump
    end = 0.0501 if threshold == 0.05 else threshold
    assert area == pytest.approx(area_under_ced(faces, end) * end / threshold, abs=4e-4 / 3 / threshold + 1e-5)


@pytest.mark.data
@pytest.mark.parametrize("scheme", MARKUPS.values(), ids=MARKUPS)
def test_parity_with_the_other_codes(scheme: LandmarkScheme, parity_dir: Path) -> None:
    vectors, name = np.load(parity_dir / "awing_dehrnet" / "decode_face_nme.npz"), f"nme{scheme.num_landmarks}"
    truth, predicted = vectors[f"{name}_gt"].astype(np.float64), 4 * vectors[f"{name}_pred64"]
    ocular = nme(predicted, truth, inter_ocular(truth, scheme))
    pupil = nme(predicted, truth, inter_pupil(truth, scheme))
    np.testing.assert_allclose(ocular, vectors[f"{name}_hrface"], rtol=1e-5)
    np.testing.assert_allclose(ocular.mean(), vectors[f"{name}_mmpose"], rtol=1e-5)
    # [TRAP] Adaptive Wing's code divides by the pupils, but WFLW by the eye corners, and adds its batch up
    theirs = ocular if scheme is WFLW_98 else pupil
    np.testing.assert_allclose(theirs.sum(), vectors[f"{name}_awing_repo_sum"], rtol=1e-5)


@pytest.mark.data
@pytest.mark.parametrize("markup", list(MARKUPS))
def test_parity_with_the_official_code(markup: str, parity_dir: Path) -> None:
    vectors = np.load(parity_dir / "star" / "metrics.npz")
    truth, predicted = vectors[f"gt_{markup}"].astype(np.float64), vectors[f"pred_{markup}"]
    scheme = MARKUPS[markup]
    normalisers = {"ocular": inter_ocular(truth, scheme), "pupil": inter_pupil(truth, scheme)}
    protocol = SCHEME_PROTOCOLS[scheme.name]
    default = vectors[f"default_norm_idx_{markup}"]
    np.testing.assert_allclose(
        NORMALISERS[protocol.normaliser](truth, scheme),
        np.linalg.norm(truth[:, default[0]] - truth[:, default[1]], axis=1),
    )
    usual = "pupil" if protocol.normaliser == "inter_pupil" else "ocular"
    rate, area = vectors[f"fr_auc_{markup}_{usual}"]
    official = star_failure_rate_and_auc(vectors[f"nme_{markup}_{usual}"], protocol.star_threshold)
    # both are rounded to six digits, the last of which a last bit may turn
    assert official == pytest.approx((rate, area), abs=1.1e-6)
    np.testing.assert_allclose(nme(predicted, truth, normalisers[usual]), vectors[f"evalpy_nme_{markup}"], rtol=1e-5)
    for name, normaliser in normalisers.items():
        official = vectors[f"nme_{markup}_{name}"]
        np.testing.assert_allclose(nme(predicted, truth, normaliser), official, rtol=1e-5)
        for threshold in (0.05, 0.08, 0.1):
            rate, area = vectors[f"fr_auc_{markup}_{name}_thr{threshold}"]
            assert star_failure_rate_and_auc(official, threshold) == pytest.approx((rate, area), abs=1.1e-6)
            # the official grid at 0.05 ends one step later (see star_failure_rate_and_auc)
            end = 0.0501 if threshold == 0.05 else threshold
            assert failure_rate(official, end) == pytest.approx(rate, abs=6e-5)
            # as above: what Simpson's rule errs at a jump
            error = 4e-4 / 3 / threshold + 1e-5
            assert area_under_ced(official, end) * end / threshold == pytest.approx(area, abs=error)


def test_the_official_grid_ends_behind_a_threshold_of_five_per_cent() -> None:
    faces = np.array([0.0501 - 1e-9, 0.2])
    assert star_failure_rate_and_auc(faces, 0.05)[0] == 0.5
    assert failure_rate(faces, 0.05) == 1


def test_bootstrap_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(3.0, 0.5, 400)
    low, high = bootstrap_interval(values, resamples=2000)
    standard_error = values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * standard_error, values.mean() + 1.96 * standard_error), abs=0.006
    )
    assert bootstrap_interval(values, resamples=50) == bootstrap_interval(values, resamples=50)
    assert bootstrap_interval(np.full(5, 0.25), resamples=10) == (0.25, 0.25)


def test_ellipse_coverage_of_an_honest_covariance_is_its_level() -> None:
    draw = np.random.default_rng(2)
    root = np.array([[3.0, 0.0], [1.5, 0.5]])
    # the stated mixture: one error in ten is drawn from a wider Gaussian
    wide = np.where(draw.random((20_000, 1)) < PARTS[0][0], PARTS[0][1], PARTS[1][1])
    errors = np.sqrt(wide) * draw.normal(size=(20_000, 2)) @ root.T
    covariance = np.broadcast_to(root @ root.T, (20_000, 2, 2))
    assert ellipse_coverage(errors, covariance, 0.5) == pytest.approx(0.5, abs=0.015)
    assert ellipse_coverage(errors, covariance, 0.9) == pytest.approx(0.9, abs=0.01)
    assert ellipse_coverage(errors, covariance / 4, 0.9) < 0.5


def test_ellipse_coverage_by_hand() -> None:
    # 90 %: radius² 5.028; axes of 2 and 1 px reach 4.485 and 2.242 px
    errors = np.array([[4.4, 0.0], [4.5, 0.0], [0.0, 2.2], [0.0, 2.3]])
    assert ellipse_coverage(errors, np.diag([4.0, 1.0]), 0.9) == 0.5
    assert ellipse_coverage(np.zeros((3, 2)), np.zeros((3, 2, 2)), 0.9) == 0


def test_300w_protocol_leaves_the_jaw_out_of_the_inner_landmarks() -> None:
    assert len(IBUG_300W_PROTOCOL.inner) == 51
    jaw = next(edge for edge in IBUG_68.edges if edge.name == "jaw")
    assert not set(jaw.indices) & set(IBUG_300W_PROTOCOL.inner)

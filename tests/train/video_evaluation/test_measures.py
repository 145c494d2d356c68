"""Figures of a planted predictor: equal to what is worked out by hand, and to FHR's and SBR's own ways of counting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from startrack.train.video_evaluation.measures import (
    POINT_SETS,
    error_figures,
    frame_errors,
    mean_stability,
    ratio_interval,
    video_stability,
)
from tests.train.conftest import face_points

FACE = face_points((100, 100), 50)
NAN = float("nan")


def corners(face: np.ndarray) -> float:
    return float(np.linalg.norm(face[36] - face[45]))


def walk(frames: int, step: tuple[float, float] = (2.0, 1.0)) -> np.ndarray:
    """(T, 68, 2) the face on a straight line."""
    return FACE + np.arange(frames)[:, None, None] * np.array(step)


def test_every_measure_of_a_constant_offset() -> None:
    """3 px right and 4 px down is 5 px for each landmark."""
    truth = walk(4)
    found = frame_errors(truth + np.array([3, 4]), truth)
    width, height = np.ptp(FACE, axis=0)
    sizes = {"inter_ocular": corners(FACE), "diagonal": math.hypot(width, height), "box": math.sqrt(width * height)}
    assert set(found) == {(count, unit) for count in (68, 49) for unit in sizes}
    for (_, unit), errors in found.items():
        np.testing.assert_allclose(errors, 5 / sizes[unit], rtol=1e-12)


def test_the_49_leave_out_jaw_and_inner_mouth_corners() -> None:
    away = FACE.copy()
    away[[*range(17), 60, 64]] += 10
    errors = frame_errors(away[None], FACE[None])
    assert errors[49, "inter_ocular"][0] == 0
    assert errors[68, "inter_ocular"][0] == pytest.approx(19 * math.sqrt(200) / 68 / corners(FACE))
    assert len(POINT_SETS[49]) == 49


def test_a_frame_with_one_nan_is_a_missing_frame() -> None:
    points = walk(3)
    points[1, 5, 0] = NAN
    points[2, 60] = np.inf
    for errors in frame_errors(points, walk(3)).values():
        assert errors[0] == 0
        assert np.isnan(errors[1:]).all()


def test_wrong_shapes_and_a_face_without_size_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 68, 2\).*\(3, 68, 2\)"):
        frame_errors(walk(2), walk(3))
    flat = walk(2)
    flat[1] = 7.0
    with pytest.raises(ValueError, match="frame 1 of the truth: its inter_ocular is not positive"):
        frame_errors(walk(2), flat)


def test_figures_by_hand() -> None:
    """Video A: 2 %, 6 %, missing. Video B: 9 % alone. Video C: never seen, one frame."""
    found = error_figures([np.array([0.02, 0.06, NAN]), np.array([0.09]), np.array([NAN])])
    assert found.nme == pytest.approx((2 + 6 + 9) / 3)
    assert found.nme_video == pytest.approx((4 + 9) / 2)
    assert found.auc8 == pytest.approx(100 * (0.75 + 0.25) / 5)
    assert found.auc7 == pytest.approx(100 * (5 / 7 + 1 / 7) / 5)
    # 9 % and the two missing frames of five
    assert found.fr8 == pytest.approx(60)
    assert found.fr10 == pytest.approx(40)


def test_nothing_to_tell_is_nan_and_all_failures() -> None:
    found = error_figures([np.array([NAN, NAN]), np.array([])])
    assert np.isnan([found.nme, found.nme_video, *found.nme_interval, *found.nme_video_interval]).all()
    assert (found.auc8, found.fr10) == (0, 100)


def test_intervals_draw_whole_videos() -> None:
    """Of two videos, both, or either one twice: means 1, 2 and 3 % with chances 1/4, 1/2, 1/4."""
    assert ratio_interval(np.array([0.01, 0.03]), np.ones(2)) == pytest.approx((1, 3))
    assert ratio_interval(np.array([0.01, 0.03]), np.ones(2), level=0.4) == pytest.approx((2, 2))
    # frames weigh: 100 frames of 1 % and one of 3 %
    assert ratio_interval(np.array([1.0, 0.03]), np.array([100, 1]), level=0.4) == pytest.approx((1.03 / 1.01,) * 2)
    assert np.isnan(ratio_interval(np.array([0.01]), np.ones(1))).all()


def test_delay_of_one_frame() -> None:
    truth = walk(10)
    late = np.concatenate([truth[:1], truth[:-1]])
    found = video_stability(late, truth, np.arange(1, 11))
    assert found.e1_delay_frames == pytest.approx(1)
    size = np.ptp(FACE, axis=0).max() / 100
    assert found.e2_rmse_percent == pytest.approx(9 / 10 * math.sqrt(5) / size)


def test_stability_does_not_bridge_gaps() -> None:
    """Steady motion has no jitter; a frame number that is left out must not look like a jump."""
    numbers = np.array([1, 2, 3, 4, 8, 9, 10])
    truth = walk(10)[numbers - 1]
    found = video_stability(truth, truth, numbers)
    assert (found.e1_delay_frames, found.e2_rmse_percent) == (0, 0)
    assert found.e3_jitter_percent == pytest.approx(0, abs=1e-9)
    assert video_stability(truth, truth, np.arange(1, 8)).e3_jitter_percent > 1
    unseen = truth.copy()
    unseen[2, 0, 0] = NAN
    assert video_stability(unseen, truth, numbers).e3_jitter_percent == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_tell_no_jitter(frames: int) -> None:
    found = video_stability(walk(frames), walk(frames), np.arange(1, frames + 1))
    assert math.isnan(found.e3_jitter_percent)
    assert math.isnan(found.e2_rmse_percent) == (frames == 0)
    assert math.isnan(mean_stability([found]).e4_jitter_percent)


def noisy(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = FACE * rng.uniform(0.8, 1.5) + np.cumsum(rng.normal(0, 3, (frames, 1, 2)), axis=0)
    return truth + rng.normal(0, 4, truth.shape), truth


def fhr_reference(videos: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """compute_error.m, frame by frame: points counted from 1, mean of 68 over |p37 - p46|, frames, then videos."""
    means = []
    for predicted, truth in videos:
        errors = []
        for m, p in zip(predicted, truth, strict=True):
            total = sum(math.dist(m[k - 1], p[k - 1]) for k in range(1, 69))
            errors.append(total / (68 * math.dist(p[37 - 1], p[46 - 1])))
        means.append(sum(errors) / len(errors))
    return 100 * sum(means) / len(means)


def sbr_reference(videos: list[tuple[np.ndarray, np.ndarray]], limit: float) -> tuple[float, float]:
    """SBR's evaluation: 49 points, corners 19 and 28 of these, all frames in one list; AUC over 2000 thresholds."""
    keep = [k for k in range(68) if k > 16 and k not in (60, 64)]
    errors = []
    for predicted, truth in videos:
        for m, p in zip(predicted[:, keep], truth[:, keep], strict=True):
            errors.append(np.mean([math.dist(a, b) for a, b in zip(m, p, strict=True)]) / math.dist(p[19], p[28]))
    thresholds = np.linspace(0, limit, 2000)
    accuracy = [np.mean(np.array(errors) < threshold) for threshold in thresholds]
    return 100 * float(np.mean(errors)), 100 * float(np.trapezoid(accuracy, thresholds) / limit)


def fhr_stability_reference(m: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """e1 and e3 of loss_stable.m in plain loops."""
    delays, jitters = [], []
    for t in range(1, len(p)):
        back = (p[t - 1] - p[t]).ravel()
        delays.append(float(np.dot((m[t] - p[t]).ravel(), back) / np.dot(back, back)))
    for t in range(1, len(p) - 1):
        w = max(np.ptp(p[t][:, 0]), np.ptp(p[t][:, 1])) / 100
        jitters.append(math.sqrt(((m[t] - (m[t - 1] + m[t + 1]) / 2) ** 2).sum() / 68) / w)
    return sum(delays) / len(delays), sum(jitters) / len(jitters)


def test_the_conventions_of_fhr_and_sbr() -> None:
    videos = [noisy(1, 5), noisy(2, 40), noisy(3, 11)]
    errors = [frame_errors(*video) for video in videos]
    ours68 = error_figures([each[68, "inter_ocular"] for each in errors])
    ours49 = error_figures([each[49, "inter_ocular"] for each in errors])
    assert ours68.nme_video == pytest.approx(fhr_reference(videos), rel=1e-9)
    mean, area8 = sbr_reference(videos, 0.08)
    assert ours49.nme == pytest.approx(mean, rel=1e-9)
    assert ours49.auc8 == pytest.approx(area8, abs=0.05)
    assert ours49.auc7 == pytest.approx(sbr_reference(videos, 0.07)[1], abs=0.05)
    # frames and videos are not the same mean here, so that neither passes for the other
    assert abs(ours68.nme - ours68.nme_video) > 0.01


def test_the_stability_of_fhr() -> None:
    videos = [noisy(4, 9), noisy(5, 30)]
    found = mean_stability([video_stability(m, p, np.arange(1, len(p) + 1)) for m, p in videos])
    references = np.mean([fhr_stability_reference(m, p) for m, p in videos], axis=0)
    assert (found.e1_delay_frames, found.e3_jitter_percent) == pytest.approx(tuple(references), rel=1e-9)

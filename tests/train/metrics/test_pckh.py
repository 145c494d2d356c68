"""PCKh by hand, and as HRNet's and mmpose's codes count it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from startrack.train.metrics.pckh import GROUPS, head_errors, pckh, pckh_summary
from startrack.train.sets.body.mpii import head_size


def test_by_hand() -> None:
    truth = np.zeros((2, 16, 2))
    truth[1, 9] = np.nan
    points = truth.copy()
    points[0, 9] = [5.0, 0]  # exactly half a head of 10
    points[0, 0] = [5.1, 0]
    points[1, 5] = [0, 0.5]
    points[1, 9] = 1e6
    points[:, 6] = 1e6  # the pelvis is not counted
    errors = head_errors(points, truth, np.array([10.0, 10.0]))
    summary = pckh_summary(errors)
    assert summary.groups["Head"] == 100
    assert summary.groups["Ankle"] == pytest.approx(75)
    assert summary.mean == pytest.approx(100 * 26 / 27)
    assert summary.mean_at_10 == pytest.approx(100 * 25 / 27)
    assert pckh(errors, strict=True)[9] == 0
    assert list(summary.groups) == list(GROUPS)


def test_heads() -> None:
    assert head_size(np.array([1.0, 2, 4, 6])) == pytest.approx(3)


@pytest.mark.data
def test_official_counts(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "pckh.npz") as file:
        arrays = {key: file[key] for key in file.files}
    truth = arrays["gt_1based"].transpose(2, 0, 1).astype(float)
    truth[arrays["jnt_missing"].T.astype(bool)] = np.nan
    heads = np.array([head_size(corners) for corners in arrays["headboxes"].reshape(4, -1).T])
    errors = head_errors(arrays["pred0_based"] + 1, truth, heads)
    # the other convention: the truth lowered to count from 0
    np.testing.assert_allclose(head_errors(arrays["pred0_based"], truth - 1, heads), errors, atol=1e-9)
    # three heads lie at exactly a half, but for a last bit that differs between machines
    ties = np.abs(errors - 0.5) < 1e-9
    summary, official = pckh_summary(errors, published_at_10=True), json.loads(bytes(arrays["result"]).decode())
    for name, (first, second) in GROUPS.items():
        allowed = 100 * ties[:, [first, second]].any(axis=1).sum() / np.isfinite(errors[:, first]).sum()
        assert summary.groups[name] == pytest.approx(official[name], abs=allowed + 1e-9)
    assert summary.mean == pytest.approx(official["Mean"], abs=100 * ties.sum() / np.isfinite(errors).sum() + 1e-9)
    close = np.abs(errors - 0.1) < 1e-9
    allowed = 100 * close.sum() / np.isfinite(errors).sum()
    assert summary.mean_at_10 == pytest.approx(official["Mean@0.1"], abs=allowed + 1e-9)
    # mmpose asks for less than the threshold, in float32
    for at, key in ((0.1, "mmpose_pck_at_0.10_per_joint"), (0.5, "mmpose_pck_per_joint_lt")):
        ties = np.abs(errors - at) < 1e-6
        assert (pckh(np.where(ties, at + 0.01, errors), at=at) - 1e-9 <= arrays[key]).all()
        assert (arrays[key] <= pckh(np.where(ties, at - 0.01, errors), at=at) + 1e-9).all()

"""A calibrated model file: scaled covariances, scores that follow from them, everything else as before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engines import load_engine
from engines.base import EngineError
from engines.calibrate import calibrate_onnx, read_scale
from engines.sidecar import read_sidecar, sidecar_path
from tracker.decode import SCORE_RADIUS, spread_score

CROPS = np.random.default_rng(3).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
SCALE = np.linspace(0.1, 2.0, 68)


def test_covariances_are_scaled_and_scores_follow(tiny_onnx: Path, tmp_path: Path) -> None:
    out = tmp_path / "honest.onnx"
    calibrate_onnx(tiny_onnx, out, SCALE.tolist(), score_radius=SCORE_RADIUS * 64)
    with load_engine(tiny_onnx) as plain, load_engine(out) as honest:
        before, after = plain(CROPS, heatmaps=True), honest(CROPS, heatmaps=True)
        assert honest.spec == plain.spec
    np.testing.assert_allclose(after.covariance, before.covariance * SCALE[:, None, None], rtol=1e-5)
    np.testing.assert_allclose(after.score, spread_score(after.covariance, 64) * after.presence[:, None], rtol=1e-4)
    for field in ("points", "presence", "heatmaps"):
        np.testing.assert_allclose(getattr(after, field), getattr(before, field), atol=1e-5)
    assert read_scale(tiny_onnx) is None
    assert read_scale(out) == pytest.approx(SCALE.tolist())
    sidecar = read_sidecar(out)
    assert sidecar is not None
    assert sidecar.spec == plain.spec


def test_a_second_calibration_replaces_the_first(tiny_onnx: Path, tmp_path: Path) -> None:
    once, twice, direct = (tmp_path / f"{name}.onnx" for name in ("once", "twice", "direct"))
    calibrate_onnx(tiny_onnx, once, SCALE.tolist(), score_radius=2.0)
    calibrate_onnx(once, twice, [0.5] * 68, score_radius=2.0)
    calibrate_onnx(tiny_onnx, direct, [0.5] * 68, score_radius=2.0)
    with load_engine(twice) as first, load_engine(direct) as second:
        for field in ("covariance", "score"):
            np.testing.assert_allclose(getattr(first(CROPS), field), getattr(second(CROPS), field), rtol=1e-6)
    assert twice.stat().st_size == direct.stat().st_size


@pytest.mark.parametrize("scale", [[1.0] * 67, [0.0] * 68, [-1.0] * 68, [float("nan")] * 68])
def test_factors_that_do_not_fit_are_refused(scale: list[float], tiny_onnx: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="68 positive numbers expected"):
        calibrate_onnx(tiny_onnx, tmp_path / "out.onnx", scale, score_radius=2.0)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_landmark_model_are_refused(tiny_onnx: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"broken\.onnx: not an ONNX model"):
        calibrate_onnx(broken, tmp_path / "out.onnx", [1.0] * 68, score_radius=2.0)
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(tiny_onnx.read_bytes())
    sidecar_path(changed).write_text(
        json.dumps({**json.loads(sidecar_path(tiny_onnx).read_text()), "sha256": "0" * 64})
    )
    with pytest.raises(EngineError, match="damaged or exchanged"):
        calibrate_onnx(changed, tmp_path / "out.onnx", [1.0] * 68, score_radius=2.0)

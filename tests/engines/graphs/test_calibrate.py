"""A calibrated model file: scaled covariances, scores that follow from them, everything else as before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from startrack.engines import load_engine
from startrack.engines.base import SCORE_RADIUS, EngineError
from startrack.engines.decode import spread_score
from startrack.engines.graphs.calibrate import CalibrationMap, calibrate_onnx, write_uncalibrated
from startrack.engines.sidecar import read_sidecar, sidecar_path

CROPS = np.random.default_rng(3).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
SCALE = np.linspace(0.1, 2.0, 68)


WEIGHTS = np.random.default_rng(4).normal(0, 0.05, (2, 68, 68))
SEEN = np.linspace(-2, 3, 68)


def calibrated(model: Path, out: Path, scale: list[float], *, growth: float = 0.8, widest: float = 4.0) -> Path:
    with np.errstate(all="ignore"):
        bias = np.log(scale)
    within = CalibrationMap(growth * WEIGHTS[0], bias, widest, WEIGHTS[1], SEEN[: len(scale)])
    calibrate_onnx(model, out, within, score_radius=SCORE_RADIUS * 64)
    return out


@pytest.mark.parametrize("reach", [-0.5, 0.5], ids=["all beyond the widest", "none beyond it"])
def test_covariances_grow_and_scores_follow(reach: float, tiny_onnx: Path, tmp_path: Path) -> None:
    with load_engine(tiny_onnx) as plain:
        before = plain(CROPS, heatmaps=True)
    spread = np.log(np.trace(before.covariance, axis1=-2, axis2=-1))
    widest = float(spread.max() + reach) if reach > 0 else float(spread.min() + reach)
    out = calibrated(tiny_onnx, tmp_path / "honest.onnx", SCALE.tolist(), widest=widest)
    with load_engine(out) as honest:
        after = honest(CROPS, heatmaps=True)
        assert honest.spec == plain.spec
    known = np.minimum(spread, widest)
    factors = np.exp(known @ (0.8 * WEIGHTS[0])) * SCALE
    chance = 1 / (1 + np.exp(-(known @ WEIGHTS[1] + SEEN)))
    assert before.visibility is None
    assert after.visibility is not None
    np.testing.assert_allclose(after.visibility, chance * after.presence[:, None], atol=1e-5)
    np.testing.assert_allclose(after.covariance, before.covariance * factors[..., None, None], rtol=1e-4)
    np.testing.assert_allclose(after.score, spread_score(after.covariance, 64) * after.presence[:, None], atol=1e-6)
    for field in ("points", "presence", "heatmaps"):
        np.testing.assert_allclose(getattr(after, field), getattr(before, field), atol=1e-5)
    sidecar = read_sidecar(out)
    assert sidecar is not None
    assert sidecar.spec == plain.spec


def test_a_second_calibration_replaces_the_first(tiny_onnx: Path, tmp_path: Path) -> None:
    once = calibrated(tiny_onnx, tmp_path / "once.onnx", SCALE.tolist())
    twice = calibrated(once, tmp_path / "twice.onnx", [0.5] * 68, growth=0.3)
    direct = calibrated(tiny_onnx, tmp_path / "direct.onnx", [0.5] * 68, growth=0.3)
    bare = tmp_path / "bare.onnx"
    write_uncalibrated(once, bare)
    for one, other in ((twice, direct), (bare, tiny_onnx)):
        with load_engine(one) as first, load_engine(other) as second:
            assert (first(CROPS).visibility is None) == (second(CROPS).visibility is None)
            for field in ("covariance", "score"):
                np.testing.assert_allclose(getattr(first(CROPS), field), getattr(second(CROPS), field), rtol=1e-6)
    assert twice.stat().st_size == direct.stat().st_size


def test_an_earlier_kind_of_calibration_is_replaced_too(tiny_onnx: Path, tmp_path: Path) -> None:
    """Files of the first releases hold a factor for each landmark and no growth."""
    model = onnx.load(tiny_onnx)
    (maker,) = [node for node in model.graph.node if "covariance" in node.output]
    maker.output[list(maker.output).index("covariance")] = "calibration.raw_covariance"
    names = ["calibration.raw_covariance", "calibration.scale"]
    model.graph.node.append(helper.make_node("Mul", names, ["covariance"], name="calibration.covariance"))
    model.graph.initializer.append(numpy_helper.from_array(SCALE.astype(np.float32)[:, None, None], names[1]))
    first = tmp_path / "first.onnx"
    onnx.save(model, first)
    again = calibrated(first, tmp_path / "again.onnx", [0.5] * 68)
    direct = calibrated(tiny_onnx, tmp_path / "direct.onnx", [0.5] * 68)
    with load_engine(first) as old, load_engine(tiny_onnx) as plain:
        expected = plain(CROPS).covariance * SCALE[:, None, None]
        np.testing.assert_allclose(old(CROPS).covariance, expected, rtol=1e-5)
    with load_engine(again) as one, load_engine(direct) as other:
        np.testing.assert_allclose(one(CROPS).covariance, other(CROPS).covariance, rtol=1e-6)


@pytest.mark.parametrize("scale", [[1.0] * 67, [0.0] * 68, [-1.0] * 68, [float("nan")] * 68])
def test_numbers_that_do_not_fit_are_refused(scale: list[float], tiny_onnx: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"bias of shapes .*: finite \(68,\) expected"):
        calibrated(tiny_onnx, tmp_path / "out.onnx", scale)
    with pytest.raises(ValueError, match=r"weights of shapes .*: finite \(68, 68\) expected"):
        calibrated(tiny_onnx, tmp_path / "out.onnx", [1.0] * 68, growth=float("nan"))
    with pytest.raises(ValueError, match="widest inf: a finite number expected"):
        calibrated(tiny_onnx, tmp_path / "out.onnx", [1.0] * 68, widest=float("inf"))
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_landmark_model_are_refused(tiny_onnx: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"broken\.onnx: not an ONNX model"):
        calibrated(broken, tmp_path / "out.onnx", [1.0] * 68)
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(tiny_onnx.read_bytes())
    sidecar_path(changed).write_text(
        json.dumps({**json.loads(sidecar_path(tiny_onnx).read_text()), "sha256": "0" * 64})
    )
    with pytest.raises(EngineError, match="damaged or exchanged"):
        calibrated(changed, tmp_path / "out.onnx", [1.0] * 68)

"""Heatmaps whose mean and spread are known, and the official STAR decoder's vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from startrack.engines.base import SCORE_RADIUS
from startrack.engines.decode import DECODERS, Decoded, argmax, soft_argmax, spread_score, stretched_soft_argmax
from startrack.tracker.crop import crop_affine, transform_points
from startrack.tracker.types import FloatArray, Roi

STRIDES = st.sampled_from([1, 2, 4, 8])


def _gaussian(h: int, w: int, mean: tuple[float, float], covariance: np.ndarray) -> np.ndarray:
    """(1, 1, h, w) density at the cells, in cells."""
    offsets = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1) - np.array(mean)
    exponent = np.einsum("hwi,ij,hwj->hw", offsets, np.linalg.inv(covariance), offsets)
    return np.exp(-exponent / 2)[None, None]


@given(st.integers(1, 40), st.integers(1, 40), STRIDES, st.data(), st.floats(1e-6, 1e6))
def test_a_single_peak_is_exact(h: int, w: int, stride: int, data: st.DataObject, height: float) -> None:
    row, column = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    heatmaps = np.zeros((1, 1, h, w))
    heatmaps[0, 0, row, column] = height
    # the cell covers crop pixels stride·i … stride·(i + 1) - 1
    centre = [stride * column + (stride - 1) / 2, stride * row + (stride - 1) / 2]
    for decoder in (soft_argmax, argmax):
        decoded = decoder(heatmaps, stride)
        np.testing.assert_allclose(decoded.points[0, 0], centre, atol=1e-9)
        np.testing.assert_allclose(decoded.covariance[0, 0], np.eye(2) * stride**2 / 12, atol=1e-9)


@given(st.floats(20, 43), st.floats(20, 43), st.floats(1.2, 4), st.floats(1.2, 4), st.floats(-0.8, 0.8), STRIDES)
def test_a_gaussian_is_exact(x: float, y: float, sx: float, sy: float, correlation: float, stride: int) -> None:
    covariance = np.array([[sx**2, correlation * sx * sy], [correlation * sx * sy, sy**2]])
    decoded = soft_argmax(_gaussian(64, 64, (x, y), covariance), stride)
    np.testing.assert_allclose(decoded.points[0, 0], stride * (np.array([x, y]) + 0.5) - 0.5, atol=0.01 * stride)
    expected = stride**2 * (covariance + np.eye(2) / 12)
    np.testing.assert_allclose(decoded.covariance[0, 0], expected, atol=0.02 * stride**2)


def test_two_cells_by_hand() -> None:
    heatmaps = np.zeros((1, 1, 4, 6))
    heatmaps[0, 0, 1, 2], heatmaps[0, 0, 3, 4] = 3.0, 1.0
    decoded = soft_argmax(heatmaps, 1)
    np.testing.assert_allclose(decoded.points[0, 0], [2.5, 1.5])
    # variance 3/4 · 1/4 · 2² on either axis, fully correlated
    np.testing.assert_allclose(decoded.covariance[0, 0], [[0.75 + 1 / 12, 0.75], [0.75, 0.75 + 1 / 12]])
    assert argmax(heatmaps, 1).points[0, 0].tolist() == [2.0, 1.0]


@given(st.integers(2, 40), st.integers(2, 40), STRIDES, st.data())
def test_a_stretched_map_reaches_from_border_to_border(h: int, w: int, stride: int, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    heatmaps = np.zeros((1, 1, h, w))
    heatmaps[0, 0, row, column] = 1
    decoded = stretched_soft_argmax(heatmaps, stride)
    # c in -1..1 by pixel borders is crop pixel ((c + 1) S - 1) / 2
    coordinate = np.array([2 * column / (w - 1) - 1, 2 * row / (h - 1) - 1])
    size = stride * np.array([w, h])
    np.testing.assert_allclose(decoded.points[0, 0], ((coordinate + 1) * size - 1) / 2, atol=1e-9)
    np.testing.assert_allclose(decoded.covariance[0, 0], np.diag((size / [w - 1, h - 1]) ** 2 / 12), atol=1e-6)


@given(STRIDES, st.floats(1e-9, 1e9))
def test_the_mass_of_a_map_does_not_matter(stride: int, mass: float) -> None:
    heatmaps = np.random.default_rng(0).random((2, 3, 9, 7))
    plain, scaled = soft_argmax(heatmaps, stride), soft_argmax(heatmaps * mass, stride)
    np.testing.assert_allclose(scaled.points, plain.points, atol=1e-9)
    np.testing.assert_allclose(scaled.covariance, plain.covariance, atol=1e-8)
    np.testing.assert_allclose(scaled.score, plain.score, atol=1e-9)


@pytest.mark.parametrize("decoder", list(DECODERS.values()), ids=list(DECODERS))
def test_empty_maps_and_empty_batches(decoder: Callable[[FloatArray, int], Decoded]) -> None:
    empty = decoder(np.zeros((1, 2, 8, 8), np.float32), 4)
    assert np.isfinite(empty.covariance).all()
    assert (empty.score < 0.02).all()
    none = decoder(np.zeros((0, 68, 8, 8), np.float32), 4)
    assert (none.points.shape, none.covariance.shape, none.score.shape) == ((0, 68, 2), (0, 68, 2, 2), (0, 68))


def test_an_empty_map_gives_the_middle_of_the_crop() -> None:
    np.testing.assert_allclose(soft_argmax(np.zeros((1, 1, 8, 8)), 4).points[0, 0], [15.5, 15.5])


@given(st.integers(0, 10_000))
def test_covariances_are_positive_and_scores_between_0_and_1(seed: int) -> None:
    heatmaps = np.random.default_rng(seed).random((1, 4, 12, 10)) ** 20
    decoded = soft_argmax(heatmaps, 4)
    np.testing.assert_array_equal(decoded.covariance, decoded.covariance.swapaxes(-1, -2))
    assert (np.linalg.eigvalsh(decoded.covariance) > 16 / 12 - 1e-6).all()
    assert ((decoded.score > 0) & (decoded.score <= 1)).all()
    assert ((decoded.points > -0.5) & (decoded.points < [39.5, 47.5])).all()


def test_a_mirrored_map_gives_the_mirrored_point() -> None:
    heatmaps = np.random.default_rng(5).random((2, 5, 16, 16))
    plain, mirrored = soft_argmax(heatmaps, 4), soft_argmax(heatmaps[..., ::-1], 4)
    np.testing.assert_allclose(mirrored.points[..., 0], 63 - plain.points[..., 0])
    np.testing.assert_allclose(mirrored.points[..., 1], plain.points[..., 1])
    np.testing.assert_allclose(mirrored.covariance, plain.covariance * [[1, -1], [-1, 1]])


def test_heatmap_and_crop_share_one_middle() -> None:
    """A heatmap that is symmetric about its middle decodes to where crop_affine puts the ROI's centre."""
    roi = Roi(np.array([320.0, 200.0]), 77.0, 0.4)
    middle = transform_points(crop_affine(roi, 64), roi.centre)
    symmetric = gaussian_filter(np.pad(np.ones((2, 2)), 7), 1.0)[None, None]
    np.testing.assert_allclose(soft_argmax(symmetric, 4).points[0, 0], middle)


def test_score_is_the_chance_to_lie_within_the_radius() -> None:
    draw = np.random.default_rng(7).normal(0, 3.0, (200_000, 2))
    measured = (np.hypot(*draw.T) < SCORE_RADIUS * 128).mean()
    assert spread_score(np.eye(2) * 9, 128) == pytest.approx(measured, abs=0.005)
    assert spread_score(np.eye(2), 128) > spread_score(np.eye(2) * 9, 128)


def test_a_heatmap_is_not_written_to() -> None:
    heatmaps = np.zeros((1, 1, 4, 4))
    heatmaps.setflags(write=False)
    for decoder in DECODERS.values():
        decoder(heatmaps, 4)


# STAR's decoder gives -1..1 from the first to the last cell's centre: cell = (c + 1) / 2 · (n - 1)


@pytest.mark.data
def test_parity_with_the_official_decoder(parity_dir: Path) -> None:
    vectors = np.load(parity_dir / "star" / "decode.npz")
    # below a mass of 1e-6 STAR divides by 1e-6 instead and leaves the map; DEGENERATE there means its loss, not this
    held = np.array(["below_clamp" not in name and "all_zero" not in name for name in vectors["names"]])
    assert held.sum() >= 28
    decoded = soft_argmax(vectors["heatmaps"], 1).points[0]
    coordinates = vectors["coords"][0].astype(np.float64)
    np.testing.assert_allclose(decoded[held], ((coordinates + 1) / 2 * 63)[held], atol=2e-3)
    assert np.isfinite(decoded).all()
    stretched = stretched_soft_argmax(vectors["heatmaps"], 4).points[0]
    np.testing.assert_allclose(stretched[held], (((coordinates + 1) * 256 - 1) / 2)[held], atol=8e-3)


@pytest.mark.data
def test_parity_of_maps_that_are_not_square(parity_dir: Path) -> None:
    vectors = np.load(parity_dir / "star" / "decode.npz")
    decoded = soft_argmax(vectors["heatmaps_nonsquare_hw"], 4).points
    cells = (vectors["coords_nonsquare"].astype(np.float64) + 1) / 2 * [31, 47]
    np.testing.assert_allclose(decoded, 4 * (cells + 0.5) - 0.5, atol=4e-3)

"""Blobs and boundary lines: where they must lie, and what the published code draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import splev, splprep

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98
from startrack.train.losses.awing import AdaptiveWingLoss
from startrack.train.targets.awing import (
    boundary_map,
    cells_from_pixels,
    curve_samples,
    landmark_maps,
    line_map,
    published_landmark_maps,
)
from startrack.train.targets.awing_curves import AFLW_CURVES, boundary_curves

CURVES = {68: boundary_curves(IBUG_68), 98: boundary_curves(WFLW_98), 29: boundary_curves(COFW_29), 19: AFLW_CURVES}


@given(st.floats(3.5, 59.5), st.floats(3.5, 59.5))
def test_a_blob_has_its_mean_at_the_landmark(x: float, y: float) -> None:
    heatmap = landmark_maps(np.array([[x, y]]))[0].astype(np.float64)
    grid = np.arange(64)
    mean = np.array([heatmap.sum(axis=0) @ grid, heatmap.sum(axis=1) @ grid]) / heatmap.sum()
    # what is cut off beyond 3.5 cells is uneven by up to a cell's share
    np.testing.assert_allclose(mean, [x, y], atol=0.12)
    assert heatmap.max() == pytest.approx(heatmap[round(y), round(x)], abs=1e-6)


def test_a_blob_on_a_cell_by_hand() -> None:
    heatmap = landmark_maps(np.array([[10.0, 20.0]]))[0]
    np.testing.assert_allclose(heatmap[20, 10:14], [1, 0.8494, 0.5205, 0.2301], atol=1e-4)
    assert heatmap[17, 7] == pytest.approx(0.0529, abs=1e-4)
    assert np.count_nonzero(heatmap) == 49


@pytest.mark.parametrize("point", [(-0.6, 5), (5, 63.6), (np.nan, 5), (5, np.inf)])
def test_a_landmark_off_the_map_is_not_drawn(point: tuple[float, float]) -> None:
    assert not landmark_maps(np.array([point])).any()


def test_pixels_and_cells() -> None:
    # crop pixels 0..3 are cell 0: their middle is 1.5
    np.testing.assert_allclose(cells_from_pixels(np.array([[1.5, 5.5]]), 4), [[0, 1]])


def test_the_boundary_runs_through_its_landmarks() -> None:
    cells = np.array([[10.0, 10], [20, 30], [30, 10], [50, 50]])
    line = boundary_map(cells, [(0, 1, 2)])
    assert [line[10, 10], line[30, 20]] == [1, 1]
    assert line[50, 50] == 0
    # the distance falls off alike on both sides
    flat = boundary_map(np.array([[5.0, 32], [60, 32]]), [(0, 1)])
    np.testing.assert_allclose(flat[28:37, 30], [0, 0, *np.exp([-2, -0.5, 0, -0.5, -2]), 0, 0], atol=1e-6)
    # the published one lies a cell to the right
    right = boundary_map(np.array([[32.0, 5], [32, 60]]), [(0, 1)], published=True)
    assert right[30, 33] == 1
    assert right[30, 32] == pytest.approx(155 / 255)


def test_a_curve_of_an_unknown_landmark_is_left_out() -> None:
    cells = np.array([[10.0, 10], [np.nan, np.nan], [30, 10], [30, 20]])
    np.testing.assert_array_equal(boundary_map(cells, [(0, 1), (2, 3)]), boundary_map(cells, [(2, 3)]))
    assert not boundary_map(cells, [(0, 1)]).any()
    assert not boundary_map(cells + 200, [(2, 3)]).any()


def fitpack_samples(points: np.ndarray) -> np.ndarray:
    """What the published code draws along, repeated points left out."""
    kept = points[np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])]
    tck, _ = splprep(kept.T, s=0, k=min(4, len(kept)) - 1)
    return np.stack(splev(np.arange(0, 1, 0.01), tck), -1)


@given(st.integers(2, 9), st.integers(0, 10_000))
def test_curves_are_those_of_fitpack(count: int, seed: int) -> None:
    points = np.random.default_rng(seed).permutation(64 * 64)[:count]
    xy = np.stack([points % 64, points // 64], -1).astype(float)
    expected = fitpack_samples(xy)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(curve_samples(xy), expected, atol=1e-9 * scale)
    np.testing.assert_array_equal(curve_samples(np.repeat(xy, 2, axis=0)), curve_samples(xy))


def test_a_curve_in_one_place_is_a_dot() -> None:
    assert np.ptp(curve_samples(np.full((4, 2), 7.0)), axis=0).max() < 0.01


@pytest.mark.data
def test_published_blobs(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "awing_targets.npz") as file:
        np.testing.assert_allclose(published_landmark_maps(file["edge_points"]), file["edge_heatmaps"], atol=1e-7)
        for count in CURVES:
            for points, expected in zip(file[f"lm{count}"], file[f"heatmap{count}"], strict=True):
                np.testing.assert_allclose(published_landmark_maps(points)[::7], expected, atol=1e-7)


@pytest.mark.data
@pytest.mark.parametrize("count", CURVES)
def test_published_boundary_and_weights(count: int, parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "awing_targets.npz") as file:
        lists, boundaries = file[f"lm{count}"], file[f"boundary_u8_{count}"]
        shape = tuple(file[f"weightmask{count}_shape"])
        masks = np.unpackbits(file[f"weightmask{count}"])[: np.prod(shape)].reshape(shape).astype(bool)
        official_mask = file[f"boundary_mask_official_{count}"]
    loss = AdaptiveWingLoss()
    for number, (points, boundary) in enumerate(zip(lists, boundaries, strict=True)):
        line = boundary == 255
        from_its_line = line_map(np.argwhere(line)[:, ::-1] + [-0.5, 0.5], published=True)
        np.testing.assert_allclose(from_its_line, boundary / 255, atol=1e-6)
        # samples on whole numbers, as every first one, go to either side with a last bit
        samples = np.concatenate([curve_samples(np.floor(points / 4)[list(curve)]) for curve in CURVES[count]])
        around = [line_map(samples + np.array([x, y]) * 1e-9, published=True) == 1 for x in (-1, 1) for y in (-1, 1)]
        assert not (line & ~np.any(around, axis=0)).any()
        firm = samples[(np.abs(samples - np.round(samples)) > 1e-9).all(axis=1)]
        assert not (~line & (line_map(firm, published=True) == 1)).any()
        # the published mask of the boundary is that of its uint8 values: any that is not 0, a cell wider
        maps = np.concatenate([published_landmark_maps(points), (boundary > 0)[None]]).astype(np.float32)
        weights = loss.weight_map(torch.from_numpy(maps)[None])[0].numpy() > 1
        np.testing.assert_array_equal(weights[::7], masks[number])
        np.testing.assert_array_equal(weights[-1], official_mask[number])

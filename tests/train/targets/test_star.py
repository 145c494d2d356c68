from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import splev, splprep

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, Edge, LandmarkScheme
from startrack.train.targets.star import edge_curve, edge_maps, point_maps, star_edges

SCHEMES = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}


def drawn_blob(point: NDArray[np.float32], size: int = 256) -> NDArray[np.float64]:
    """(size / 4)² the definition: a patch pasted into the crop, then the mean of each cell's middle."""
    x, y = np.clip(point, 0, size - 1)
    left, top, right, bottom = (int(v) for v in (x - 4.5, y - 4.5, x + 5.5, y + 5.5))
    picture = np.zeros((size, size))
    for row in range(max(0, top), min(bottom, size)):
        for column in range(max(0, left), min(right, size)):
            picture[row, column] = np.exp(-((row - top - 5) ** 2 + (column - left - 5) ** 2) / (2 * 1.5**2))
    return picture.reshape(size // 4, 4, size // 4, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))


def test_blobs_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    inside = rng.uniform(0, 255, (20, 2))
    border = rng.uniform(-8, 8, (20, 2)) + rng.choice([0, 255], (20, 2))
    whole = rng.integers(0, 8, (20, 2)) / 2.0
    points = np.concatenate([inside, border, whole]).astype(np.float32)
    np.testing.assert_allclose(point_maps(points), [drawn_blob(point) for point in points], atol=6e-8)


def test_blob_stands_where_the_landmark_is() -> None:
    maps = point_maps(np.array([[101.5, 49.5], [130.0, 200.0]]))
    for map_, (x, y) in zip(maps, ((101.5, 49.5), (130.0, 200.0)), strict=True):
        rows, columns = np.mgrid[0:64, 0:64] * 4 + 1.5
        # blobs are centred on whole pixels
        assert (map_ * columns).sum() / map_.sum() == pytest.approx(x, abs=0.6)
        assert (map_ * rows).sum() / map_.sum() == pytest.approx(y, abs=0.6)
        assert 0.36 < map_.max() < 0.82


def test_other_sizes() -> None:
    points = np.array([[20.0, 100.0], [127.0, 3.0]], np.float32)
    np.testing.assert_allclose(point_maps(points, 128), [drawn_blob(point, 128) for point in points], atol=6e-8)
    assert edge_maps(points, [Edge("line", (0, 1))], 128).shape == (1, 32, 32)


def fitpack_curve(points: NDArray[np.float64], closed: bool) -> NDArray[np.float64]:
    through = np.concatenate([points, points[:1]]) if closed else points
    spline, knots = splprep(through.T, s=0, k=3, per=closed)
    at = np.concatenate([np.linspace(a, b, 5, endpoint=False) for a, b in itertools.pairwise(knots)])
    return np.stack(splev(at if closed else np.append(at, knots[-1]), spline), -1)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", [4, 5, 8, 33])
def test_curve_is_the_spline_of_fitpack(count: int, closed: bool) -> None:
    rng = np.random.default_rng(count)
    for _ in range(5):
        points = rng.uniform(-30, 280, (count, 2))
        curve = edge_curve(points, closed)
        np.testing.assert_allclose(curve, fitpack_curve(points, closed), atol=1e-9)
        np.testing.assert_allclose(curve[::5], points, atol=1e-9)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([[1, 2], [1, 2], [5, 6], [8, 9], [3, 1]], id="equal neighbours"),
        pytest.param([[4, 4]] * 5, id="one place"),
        pytest.param([[0, 0], [9, 9]], id="too few"),
    ],
)
@pytest.mark.parametrize("closed", [False, True])
def test_where_there_is_no_spline_the_points_are_joined(points: list[list[float]], closed: bool) -> None:
    np.testing.assert_array_equal(edge_curve(np.array(points, np.float64), closed), points)


def drawn_edge(points: NDArray[np.float32], edge: Edge) -> NDArray[np.float64]:
    """(64, 64) the definition: a line on a float canvas four times as large, shrunk twice."""
    curve = np.clip(edge_curve(points[list(edge.indices)].astype(np.float64), edge.closed), 0, 255)
    canvas = np.zeros((1024, 1024), np.float32)
    cv2.polylines(canvas, [(curve * 4 + 0.5).astype(np.int32)], edge.closed, 255, 4, cv2.LINE_AA)
    crop = cv2.resize(canvas, (256, 256), interpolation=cv2.INTER_AREA) / 255
    return np.asarray(cv2.resize(crop, (64, 64), interpolation=cv2.INTER_LINEAR), np.float64)


def test_edges_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(1)
    turn = np.arange(12) / 12 * 2 * np.pi
    ring = np.stack([np.cos(turn), np.sin(turn)], -1)
    edges = [Edge("open", tuple(range(12))), Edge("closed", tuple(range(12)), closed=True), Edge("few", (0, 6))]
    for _ in range(10):
        points = (ring * rng.uniform(5, 150) + rng.uniform(0, 255, 2) + rng.normal(0, 3, (12, 2))).astype(np.float32)
        expected = [drawn_edge(points, edge) for edge in edges]
        np.testing.assert_array_equal(edge_maps(points, edges), expected)


def test_edges_do_not_mix() -> None:
    points = np.array([[10, 10], [60, 10], [10, 40], [60, 40]], np.float32)
    both = edge_maps(points, [Edge("upper", (0, 1)), Edge("lower", (2, 3))])
    assert not np.logical_and(both[0], both[1]).any()
    np.testing.assert_array_equal(both[1:], edge_maps(points, [Edge("lower", (2, 3))]))


def test_one_edge_of_cofw_is_open() -> None:
    assert star_edges(WFLW_98) is WFLW_98.edges
    opened = [edge.indices for edge in star_edges(COFW_29) if not edge.closed]
    assert opened == [(9, 14, 11, 15)]


@pytest.mark.data
@pytest.mark.parametrize(("name", "scheme"), SCHEMES.items(), ids=list(SCHEMES))
def test_official_maps(parity_dir: Path, name: str, scheme: LandmarkScheme) -> None:
    edges = star_edges(scheme)
    with np.load(parity_dir / "star" / f"targets_{name}.npz") as file:
        for index, edge in enumerate(edges):
            curve = edge_curve(file["landmarks"][0][list(edge.indices)].astype(np.float64), edge.closed)
            np.testing.assert_allclose(curve, file[f"curve_shape0_edge{index}"], atol=1e-9)
        for landmarks, points, lines in zip(file["landmarks"], file["pointmaps"], file["edgemaps"], strict=True):
            np.testing.assert_allclose(point_maps(landmarks), points, atol=6e-8)
            found = edge_maps(landmarks, edges)
            # a point that lies on a rounding border to the last bit may fall to either side
            assert (found != lines).mean() < 1e-3
            assert np.abs(found - lines).max() <= 0.25

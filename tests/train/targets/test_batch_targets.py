from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, Edge, LandmarkScheme
from startrack.train.sets import ibug_300w
from startrack.train.targets import batch_targets
from startrack.train.targets.batch_splines import EdgeSplines
from startrack.train.targets.batch_targets import EdgeMaps, PointMaps
from startrack.train.targets.line_table import MARGIN, line_runs
from startrack.train.targets.star import edge_curve, edge_maps, point_maps, star_edges
from tests.train.conftest import face_points

SCHEMES = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}


def batch_edges(landmarks: NDArray[np.floating], edges: list[Edge], size: int = 256) -> NDArray[np.float32]:
    return EdgeMaps(edges, size)(torch.from_numpy(landmarks)).numpy()


def differing(found: NDArray[np.float32], expected: list[NDArray[np.float32]]) -> tuple[float, float]:
    """Share of cells that differ, and by how much at most."""
    difference = np.abs(found - np.stack(expected))
    return float((difference > 0).mean()), float(difference.max())


def test_a_line_is_one_run_per_row_whichever_end_comes_first() -> None:
    """What the table of lines rests on, for OpenCV as it is installed."""
    runs = line_runs(31, 4)
    for x, y in [(x, y) for x in range(-31, 32, 3) for y in range(0, 32, 3)]:
        there, back = (np.zeros((60, 100), np.uint8) for _ in range(2))
        ends = np.array([[50, 10], [50 + x, 10 + y]], np.int32)
        cv2.polylines(there, [ends], False, 1, 4)
        cv2.polylines(back, [ends[::-1].copy()], False, 1, 4)
        np.testing.assert_array_equal(there, back)
        drawn = np.zeros_like(there)
        for row, (first, last) in enumerate(runs[x + 31, y]):
            drawn[10 - MARGIN + row, 50 + first : 50 + last] = 1
        np.testing.assert_array_equal(drawn, there)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", [4, 5, 8, 33])
def test_curves_are_those_of_one_face(count: int, closed: bool) -> None:
    """Of three edges side by side, so that none may leak into another."""
    rng = np.random.default_rng(count)
    points = rng.uniform(-30, 280, (4, 2 * count + 4, 2))
    edges = [
        Edge("before", tuple(range(4))),
        Edge("it", tuple(range(4, count + 4)), closed),
        Edge("after", tuple(range(count + 4, 2 * count + 4)), not closed),
    ]
    splines = EdgeSplines(edges)
    curves = splines(torch.from_numpy(points), 5)
    for number, edge in enumerate(edges):
        of_edge = curves[:, splines.edge_of_segment == number]
        for face, segments in zip(points, of_edge.numpy(), strict=True):
            expected = edge_curve(face[list(edge.indices)], edge.closed)
            found = segments[:, :5].reshape(-1, 2)
            found = found if edge.closed else np.concatenate([found, segments[-1:, 5]])
            np.testing.assert_allclose(found, expected, atol=1e-8)


def test_blobs_are_those_of_one_face() -> None:
    rng = np.random.default_rng(0)
    border = rng.uniform(-8, 8, (3, 20, 2)) + rng.choice([0, 255], (3, 20, 2))
    points = np.concatenate([rng.uniform(0, 255, (3, 20, 2)), border, rng.integers(0, 512, (3, 20, 2)) / 2], axis=1)
    points = points.astype(np.float32)
    found = PointMaps()(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(found, [point_maps(face) for face in points], atol=1e-6)


@pytest.mark.parametrize("size", [256, 128])
def test_edges_of_faces_are_those_of_one_face(size: int) -> None:
    rng, scale = np.random.default_rng(3), size / 256
    faces = [face_points((rng.normal(128, 12), rng.normal(110, 12)), rng.normal(75, 12)) for _ in range(6)]
    points = (np.stack(faces) + rng.normal(0, 2, (6, 68, 2))) * scale
    expected = [edge_maps(face, IBUG_68.edges, size) for face in points]
    share, largest = differing(batch_edges(points, list(IBUG_68.edges), size), expected)
    assert share < 1e-4
    assert largest < 0.1


@pytest.mark.parametrize(("name", "scheme"), SCHEMES.items(), ids=list(SCHEMES))
def test_edges_of_anything_are_nearly_those_of_one_face(name: str, scheme: LandmarkScheme) -> None:
    """Points all over the place and outside: lines across the whole crop, and along its border."""
    rng, edges = np.random.default_rng(4), star_edges(scheme)
    points = rng.uniform(-20, 275, (4, scheme.num_landmarks, 2))
    found, expected = batch_edges(points, list(edges)), np.stack([edge_maps(face, edges) for face in points])
    assert np.abs(found - expected).mean() < 0.15 * expected.mean()


def test_straight_lines_of_any_length() -> None:
    """Edges of two points, from a pixel to the whole crop: too short for the table to too long."""
    rng = np.random.default_rng(5)
    points = rng.uniform(8, 248, (40, 2, 2))
    edges = [Edge("line", (0, 1))]
    found = batch_edges(points, edges)
    share, largest = differing(found, [edge_maps(face, edges) for face in points])
    assert share < 0.03
    assert largest < 0.4
    horizontal = batch_edges(np.array([[[8.0, 128.0], [248.0, 128.0]]]), edges)
    np.testing.assert_array_equal(horizontal[0], edge_maps(np.array([[8.0, 128.0], [248.0, 128.0]]), edges))


class LargestTensor(TorchDispatchMode):
    """Looks at everything that is computed."""

    nbytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.nbytes = max(self.nbytes, made.untyped_storage().nbytes())
        return made


def test_many_faces_are_drawn_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_targets, "BATCH", 3)
    points = torch.from_numpy(np.random.default_rng(6).uniform(20, 230, (10, 29, 2)))
    draw = EdgeMaps(star_edges(COFW_29))
    with LargestTensor() as few:
        draw(points[:3])
    with LargestTensor() as many:
        whole = draw(points)
    assert few.nbytes == many.nbytes
    assert torch.equal(whole[9:], draw(points[9:]))
    assert torch.equal(whole[4:6], draw(points[4:6]))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_degenerate_faces_stay_finite(scheme: LandmarkScheme) -> None:
    count = scheme.num_landmarks
    faces = {
        "one place": np.full((count, 2), 100.0),
        "one corner": np.zeros((count, 2)),
        "far outside": np.full((count, 2), -1e6) + np.arange(count)[:, None],
        "two places": np.where(np.arange(count)[:, None] % 2 == 0, 30.0, [[200.0, 220.0]]),
        "almost one place": 100 + 1e-9 * np.random.default_rng(0).normal(size=(count, 2)),
        "huge": 1e300 * np.random.default_rng(0).normal(size=(count, 2)),
        "infinite": np.full((count, 2), np.inf),
        "nowhere": np.full((count, 2), np.nan),
    }
    landmarks = torch.from_numpy(np.stack(list(faces.values())))
    edges = EdgeMaps(star_edges(scheme))(landmarks)
    assert torch.isfinite(edges).all()
    assert ((edges >= 0) & (edges <= 1)).all()
    points = PointMaps()(landmarks[:-1])
    assert ((points >= 0) & (points <= 1)).all()
    expected = edge_maps(faces["one place"], star_edges(scheme))
    np.testing.assert_array_equal(edges[0], expected)


@pytest.mark.data
@pytest.mark.parametrize(("name", "scheme"), SCHEMES.items(), ids=list(SCHEMES))
def test_official_maps(parity_dir: Path, name: str, scheme: LandmarkScheme) -> None:
    edges = star_edges(scheme)
    with np.load(parity_dir / "star" / f"targets_{name}.npz") as file:
        landmarks = torch.from_numpy(file["landmarks"])
        np.testing.assert_allclose(PointMaps()(landmarks).numpy(), file["pointmaps"], atol=1e-6)
        difference = np.abs(EdgeMaps(edges)(landmarks).numpy() - file["edgemaps"])
    # shapes with repeated points and beyond the border; figures of real faces are in EdgeMaps
    assert difference.mean() < 3e-4
    assert (difference > 0).mean() < 0.01
    assert difference.max() <= 0.25


@pytest.mark.data
def test_edges_of_real_faces(data_dir: Path) -> None:
    samples = ibug_300w.load(data_dir / "300w", "train")[::60]
    points = []
    for sample in samples:
        low, high = sample.landmarks.min(axis=0), sample.landmarks.max(axis=0)
        points.append((sample.landmarks - (low + high) / 2) / (high - low).max() * 205 + 127.5)
    found = batch_edges(np.stack(points), list(IBUG_68.edges))
    share, largest = differing(found, [edge_maps(face, IBUG_68.edges) for face in points])
    assert share < 2e-5
    assert largest < 0.15

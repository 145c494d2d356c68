from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from startrack.train.synthetic.geometry.implicit import Limb, distance, surface_of
from startrack.train.synthetic.geometry.mesh import make_mesh, merge
from startrack.train.synthetic.geometry.rasteriser import lay_out
from startrack.train.synthetic.geometry.rays import hit_anchors, nearest_anchors
from startrack.train.synthetic.geometry.visibility import visible

FACE = np.array([[0, 1, 2]], np.int32)
WALL = np.array([[-9, -9, 0], [9, -9, 0], [0, 12, 0]], np.float32)


def test_a_ray_meets_a_triangle_where_it_should() -> None:
    triangle = np.array([[0, 0, 5], [4, 0, 5], [0, 4, 5]], np.float32)
    anchors, distance_ = hit_anchors(np.zeros((2, 3)), np.array([[0.2, 0.1, 1], [1, 1, 1]]), triangle, FACE)
    np.testing.assert_allclose(anchors.places(triangle)[0], [1.0, 0.5, 5.0], atol=1e-5)
    assert distance_[0] == 5.0
    assert np.isinf(distance_[1])


@settings(max_examples=60)
@given(st.lists(st.floats(-3, 3, width=32), min_size=12, max_size=12))
def test_no_place_of_a_triangle_is_nearer_than_the_nearest(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32).reshape(4, 3)
    place, triangle = values[:1], values[1:]
    assume(np.linalg.norm(np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])) > 1e-2)
    found = nearest_anchors(place, triangle, FACE).places(triangle)
    shares = np.random.default_rng(0).dirichlet((0.5, 0.5, 0.5), 400)
    others = np.concatenate([shares @ triangle, triangle])
    nearest = np.linalg.norm(others - place, axis=1).min()
    assert np.linalg.norm(found - place) <= nearest + 1e-3


def wall_at(depth: float, cover: float = 2.0):
    """A large triangle across the view."""
    return make_mesh(WALL + np.array([0, 0, depth], np.float32), FACE, 0, cover=np.full(3, cover))


def seen_behind(depth: float, cover: float = 2.0, place: tuple[float, float, float] = (0, 0, 20)) -> bool:
    mesh = wall_at(depth, cover)
    answer = visible(np.array([place], np.float32), mesh, mesh.vertices, lay_out([]), np.ones(1, bool))
    return bool(answer[0])


def test_a_wall_hides_what_is_behind_it_and_nothing_else() -> None:
    assert not seen_behind(10.0)
    assert seen_behind(30.0)  # behind the place
    assert seen_behind(19.8)  # the place's own skin
    assert seen_behind(10.0, cover=0.3)
    assert not seen_behind(10.0, cover=0.8)
    assert seen_behind(10.0, place=(40, 0, 20))  # beside the wall


def test_what_cannot_hide_does_not() -> None:
    mesh = wall_at(10.0)
    assert visible(np.array([[0, 0, 20]], np.float32), mesh, mesh.vertices, lay_out([]), np.zeros(1, bool))[0]


def test_visibility_agrees_with_rays_against_every_triangle() -> None:
    rng = np.random.default_rng(4)
    soup = rng.uniform(-4, 4, (60, 3, 3)) + np.array([0, 0, 15])
    mesh = merge([make_mesh(corners, FACE, 0) for corners in soup])
    places = np.column_stack([rng.uniform(-3, 3, (200, 2)), rng.uniform(12, 22, 200)]).astype(np.float32)
    offsets = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]) * 0.25
    targets = (places[:, None] + offsets).reshape(-1, 3).astype(np.float32)
    _, share = hit_anchors(np.zeros_like(targets), targets, mesh.vertices, mesh.faces)
    blocked = share * targets[:, 2] < targets[:, 2] - 0.6
    expected = blocked.reshape(-1, 5).mean(1) < 0.5
    answer = visible(places, mesh, mesh.vertices, lay_out([]), np.ones(60, bool))
    assert 20 < expected.sum() < 180
    assert (answer == expected).mean() > 0.99


def test_the_surface_of_a_ball_is_closed_and_looks_outwards() -> None:
    ball = [Limb(np.zeros(3), np.array([0.0, 0.0, 1e-6]), 2.0, 2.0)]
    vertices, faces = surface_of(ball, cell_cm=0.4, blend_cm=0.3)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 2).max() < 0.2
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    volume = (a * np.cross(b, c)).sum() / 6
    np.testing.assert_allclose(volume, 4 / 3 * np.pi * 8, rtol=0.05)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_limbs_that_meet_flow_into_each_other() -> None:
    first = Limb(np.array([-1.0, 0, 0]), np.array([0.0, 0, 0]), 0.5, 0.5)
    second = Limb(np.array([0.0, 0, 0]), np.array([0.0, 1, 0]), 0.5, 0.5)
    place = np.array([[-0.45, 0.45, 0.0]])
    assert distance(place, [first, second], 0.4)[0] < distance(place, [first, second], 1e-6)[0]
    np.testing.assert_allclose(distance(np.array([[-3.0, 0, 0]]), [first, second], 1e-6), 1.5)

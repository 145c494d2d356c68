from __future__ import annotations

from dataclasses import replace

import numpy as np

from startrack.train.synthetic.geometry.mesh import Mesh, make_mesh, merge, tube, vertex_normals
from startrack.train.synthetic.geometry.rasteriser import (
    NONE,
    Raster,
    blend_layer,
    depth_map,
    faces_camera,
    lay_out,
    rasterise,
)
from startrack.train.synthetic.geometry.samples import at_samples, choose_samples

NO_TEXTURES = lay_out([])


def triangle(depth: float, *, cover: float = 2.0, side: float = 10.0) -> tuple[Mesh, np.ndarray]:
    """A right-angled triangle with its corner at pixel 2, 2, in a picture's plane, and its places on the screen."""
    corners = np.array([[2, 2], [2 + side, 2], [2, 2 + side]], np.float32)
    mesh = make_mesh(np.column_stack([corners, np.zeros(3)]), np.array([[0, 1, 2]]), 0, cover=np.full(3, cover))
    return mesh, np.column_stack([corners, np.full(3, 1 / depth)]).astype(np.float32)


def at_pixels(values: np.ndarray, mesh: Mesh, raster: Raster, where: np.ndarray) -> np.ndarray:
    """Values of the vertices at single pixels."""
    samples = choose_samples(raster, mesh, np.zeros(1, np.float32), 1)
    return at_samples(values, mesh, raster, samples.ends[samples.number[where]])


def test_pixels_of_a_triangle_are_those_whose_centre_lies_in_it() -> None:
    mesh, screen = triangle(10.0)
    raster = rasterise(screen, mesh, (16, 14), NO_TEXTURES, np.ones(1, bool))
    rows, columns = np.mgrid[:14, :16]
    inside = (columns >= 2) & (rows >= 2) & (columns + rows <= 14)
    assert ((raster.triangle == 0) == inside).all()
    assert (raster.triangle[~inside] == NONE).all()
    np.testing.assert_allclose(raster.inverse_depth[inside], 0.1, rtol=1e-6)
    place = at_pixels(mesh.vertices, mesh, raster, inside)
    np.testing.assert_allclose(place[:, :2], np.column_stack([columns[inside], rows[inside]]), atol=1e-4)


def test_weights_are_perspective_correct() -> None:
    mesh, screen = triangle(10.0)
    screen[:, 2] = 1 / np.array([10.0, 20.0, 40.0], np.float32)
    raster = rasterise(screen, mesh, (16, 16), NO_TEXTURES, np.ones(1, bool))
    where = np.zeros((16, 16), bool)
    where[5, 4] = True
    depth = at_pixels(np.ascontiguousarray(1 / screen[:, 2:]), mesh, raster, where)
    # 1/depth is linear on the screen: at pixel (4, 5) the flat weights are 0.5, 0.2 and 0.3
    np.testing.assert_allclose(depth[0, 0], 1 / (0.5 / 10 + 0.2 / 20 + 0.3 / 40), rtol=1e-5)


def test_the_nearer_triangle_is_shown_whatever_the_order() -> None:
    (far, far_screen), (near, near_screen) = triangle(20.0), triangle(5.0, side=4.0)
    for meshes, screens, nearer in (
        ((far, near), (far_screen, near_screen), 1),
        ((near, far), (near_screen, far_screen), 0),
    ):
        raster = rasterise(np.concatenate(screens), merge(meshes), (16, 16), NO_TEXTURES, np.ones(2, bool))
        assert raster.triangle[3, 3] == nearer
        assert raster.triangle[8, 3] == 1 - nearer


def test_a_corner_behind_the_camera_and_triangles_that_take_no_part_are_left_out() -> None:
    mesh, screen = triangle(10.0)
    assert (rasterise(screen, mesh, (16, 16), NO_TEXTURES, np.zeros(1, bool)).triangle == NONE).all()
    screen[1, 2] = 0
    assert (rasterise(screen, mesh, (16, 16), NO_TEXTURES, np.ones(1, bool)).triangle == NONE).all()


def test_partly_opaque_triangles_keep_their_share_of_the_pixels() -> None:
    mesh, screen = triangle(10.0, cover=0.3, side=300.0)
    raster = rasterise(screen, mesh, (256, 256), NO_TEXTURES, np.ones(1, bool))
    assert abs((raster.triangle[3:100, 3:100] == 0).mean() - 0.3) < 0.02
    clear = replace(mesh, cover=np.full(3, -1.0, np.float32))
    assert (rasterise(screen, clear, (256, 256), NO_TEXTURES, np.ones(1, bool)).triangle == NONE).all()


def test_an_opacity_texture_cuts_its_holes() -> None:
    mesh, screen = triangle(10.0, side=300.0)
    uv = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    mesh = replace(mesh, uv=uv, texture=np.zeros(1, np.int32))
    texture = np.zeros((2, 2), np.uint8)
    texture[1, 0] = 255  # the quarter u < 0.5, v < 0.5; the first row is the texture's top
    raster = rasterise(screen, mesh, (256, 256), lay_out([texture]), np.ones(1, bool))
    assert (raster.triangle[10:140, 10:140] == 0).mean() > 0.99
    assert (raster.triangle[170:250, 10:100] == NONE).all()


def test_layers_add_up_and_hide_behind_what_is_nearer() -> None:
    mesh, screen = triangle(10.0, cover=0.4)
    both, screens = merge([mesh, mesh]), np.concatenate([screen, screen])
    arrays = (both.cover, both.uv, both.texture, NO_TEXTURES.texels, NO_TEXTURES.layout)
    nothing, picture = np.zeros((16, 16), np.float32), np.zeros((16, 16, 3), np.float32)
    colour = np.array([1.0, 0.5, 0.0], np.float32)
    blend_layer(picture, colour, screens, both.faces, np.array([0, 1]), nothing, *arrays)
    np.testing.assert_allclose(picture[4, 4], colour * (1 - 0.6**2), rtol=1e-5)
    assert picture[15, 15].max() == 0
    behind = np.zeros((16, 16, 3), np.float32)
    blend_layer(behind, colour, screens, both.faces, np.array([0, 1]), nothing + 1, *arrays)
    assert behind.max() == 0


def test_a_depth_map_holds_the_greatest_height() -> None:
    low, _ = triangle(1.0)
    places = np.concatenate([low.vertices, low.vertices + np.array([0, 0, 3], np.float32)])
    both = merge([low, low])
    nearest = depth_map(places, both.faces, 16, np.zeros(2, bool))
    assert nearest[4, 4] == 3
    assert nearest[15, 15] < -1e8
    turned = np.concatenate([both.faces[:1], both.faces[1:, ::-1]])
    assert depth_map(places, turned, 16, np.array([False, True]))[4, 4] == 0, "one side of it is seen"
    assert depth_map(places, turned, 16, np.array([False, False]))[4, 4] == 3


def test_normals_of_a_tube_point_outwards() -> None:
    path = np.column_stack([np.zeros(8), np.linspace(0, 7, 8), np.zeros(8)])
    vertices, faces = tube(path, 0.5, sides=12)
    normals = vertex_normals(vertices, faces)
    outwards = vertices * np.array([1, 0, 1]) / 0.5
    assert np.abs((normals * outwards).sum(1)).min() > 0.95


def test_a_triangle_faces_the_camera_if_its_corners_run_counter_clockwise_there() -> None:
    mesh, screen = triangle(10.0)  # y runs down on the screen: right, then down, is clockwise
    assert faces_camera(screen, mesh.faces).tolist() == [False]
    assert faces_camera(screen, mesh.faces[:, ::-1].copy()).tolist() == [True]

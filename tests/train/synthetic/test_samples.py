from __future__ import annotations

import numpy as np
import pytest

from startrack.train.synthetic.geometry.mesh import Mesh, make_mesh, merge
from startrack.train.synthetic.geometry.rasteriser import NONE, Raster, lay_out, rasterise
from startrack.train.synthetic.geometry.samples import at_samples, choose_samples, picture_of
from startrack.train.synthetic.light import Lights, shadows

SMOOTH_CM = np.full(2, 0.5, np.float32)


def square(depth: float, left: float, right: float, material: int = 0) -> tuple[Mesh, np.ndarray]:
    """A square that covers the columns from left to right of a picture of 16 × 16, and its places on the screen."""
    corners = np.array([[left, -1], [right, -1], [left, 16], [right, 16]], np.float32)
    places = np.column_stack([corners, np.full(4, depth)])
    mesh = make_mesh(places, np.array([[0, 1, 2], [1, 3, 2]]), material)
    return mesh, np.column_stack([corners, np.full(4, 1 / depth)]).astype(np.float32)


def drawn(*squares: tuple[Mesh, np.ndarray]) -> tuple[Mesh, Raster]:
    mesh = merge([one for one, _ in squares])
    screen = np.concatenate([places for _, places in squares])
    return mesh, rasterise(screen, mesh, (16, 16), lay_out([]), np.ones(len(mesh.faces), bool))


def test_a_smooth_surface_is_shaded_once_in_each_finished_pixel_at_its_middle() -> None:
    mesh, raster = drawn(square(10.0, -1, 16))
    samples = choose_samples(raster, mesh, SMOOTH_CM, 2)
    assert samples.pixels.tolist() == [4] * 64
    assert (samples.number.reshape(8, 2, 8, 2) == np.arange(64).reshape(8, 1, 8, 1)).all()
    places = at_samples(mesh.vertices, mesh, raster, samples.ends)
    rows, columns = np.mgrid[:8, :8] * 2 + 0.5
    np.testing.assert_allclose(places[:, :2], np.stack([columns.ravel(), rows.ravel()], 1), atol=1e-4)


@pytest.mark.parametrize(("depth", "material"), [(10.0, 1), (11.0, 0)])
def test_both_sides_of_an_edge_in_a_finished_pixel_are_shaded(depth: float, material: int) -> None:
    mesh, raster = drawn(square(10.0, -1, 6.5), square(depth, 6.6, 16, material))  # between columns 6 and 7
    samples = choose_samples(raster, mesh, SMOOTH_CM, 2)
    assert (samples.number[:, 6] != samples.number[:, 7]).all()
    assert (samples.number[::2, 6] == samples.number[1::2, 6]).all()
    assert len(samples.pixels) == 64 + 8
    assert (samples.pixels[samples.number[:, [6, 7]]] == 2).all()


def test_a_step_that_is_small_for_the_material_is_none() -> None:
    mesh, raster = drawn(square(10.0, -1, 6.5), square(10.3, 6.6, 16))
    assert len(choose_samples(raster, mesh, SMOOTH_CM, 2).pixels) == 64
    assert len(choose_samples(raster, mesh, np.zeros(2, np.float32), 2).pixels) == 256, "fine detail"


def test_a_picture_shows_the_samples_before_the_background() -> None:
    mesh, raster = drawn(square(10.0, -1, 6.5))
    samples = choose_samples(raster, mesh, SMOOTH_CM, 2)
    assert ((samples.number == NONE) == (np.arange(16) > 6)).all()
    light = np.repeat(np.arange(len(samples.pixels), dtype=np.float32)[:, None], 3, 1)
    picture = picture_of(samples, light, 2.0, np.full((16, 16, 3), 0.25, np.float32))
    assert (picture[:, 7:] == 0.25).all()
    assert (picture[:, :7, 0] == 2 * samples.number[:, :7]).all()


def test_a_plate_shades_the_places_behind_it() -> None:
    plate = make_mesh(np.array([[-5, -5, 5], [5, -5, 5], [-5, 5, 5], [5, 5, 5]]), np.array([[0, 1, 2], [1, 3, 2]]), 0)
    floor = make_mesh(np.array([[0, 0, 0], [20, 0, 0], [0, 20, 0]]), np.array([[0, 1, 2]]), 0)
    mesh = merge([plate, floor])
    lights = Lights(np.array([[0, 0, 1], [0.8, 0, 0.6]], np.float32), np.ones((2, 3), np.float32))
    used = np.array([False] * 4 + [True, True, False])
    everything, none = np.ones(3, bool), np.zeros(3, bool)
    reached = shadows(mesh, lights, everything, none, used, np.zeros(3, np.float32))
    assert reached[4:6].tolist() == [[0, 1], [1, 1]], "the plate lies before the first place, seen from the first light"
    assert (reached[~used] == 0).all()
    assert shadows(mesh, lights, none, none, used, np.zeros(3, np.float32))[4:6].min() == 1

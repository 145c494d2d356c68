from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from startrack.train.synthetic.camera import Camera, Development, develop, draw_camera
from startrack.train.synthetic.geometry.mesh import make_mesh
from startrack.train.synthetic.light import Environment, lights_of, shaded
from startrack.train.synthetic.pose import PIVOT_CM, Pose, posed, rotation_vector
from startrack.train.synthetic.surface.eyes import gaze_direction
from startrack.train.synthetic.surface.material import Look, encoded, linear, tilted

angles = st.floats(-90, 90)


@settings(deadline=None)
@given(angles, st.floats(-60, 60), st.floats(-60, 60))
def test_a_stiff_mesh_turns_as_a_whole(yaw: float, pitch: float, roll: float) -> None:
    pose = Pose(yaw, pitch, roll)
    vector = rotation_vector(pose.rotation)
    np.testing.assert_allclose(Rotation.from_rotvec(vector).as_matrix(), pose.rotation, atol=1e-6)
    places = np.array([[1, 2, 3], [4, -5, 6], [-2, 0, 9]], np.float32)
    turned = posed(make_mesh(places, np.array([[0, 1, 2]]), 0), pose)
    expected = (places - PIVOT_CM) @ pose.rotation.T + PIVOT_CM
    np.testing.assert_allclose(turned.vertices, expected, atol=1e-3)


def test_directions_of_a_turn() -> None:
    front = np.array([0, 0, 1])
    assert (Pose(90, 0, 0).rotation @ front).round(6).tolist() == [1, 0, 0]  # to the subject's left
    assert (Pose(0, 90, 0).rotation @ front).round(6).tolist() == [0, -1, 0]  # downwards
    assert (Pose(0, 0, 90).rotation @ np.array([1, 0, 0])).round(6).tolist() == [0, 1, 0]
    np.testing.assert_allclose(gaze_direction((30, 0)), [0.5, 0, np.sqrt(0.75)], rtol=1e-5)
    assert gaze_direction((0, 20))[1] > 0


def test_shoulders_follow_by_their_share() -> None:
    places = np.array([[1, -20, 3], [4, -25, 6], [-2, -22, 9]], np.float32)
    mesh = replace(make_mesh(places, np.array([[0, 1, 2]]), 0), stiffness=np.full(3, 0.5, np.float32))
    half = posed(mesh, Pose(60, 0, 0)).vertices
    np.testing.assert_allclose(half, (places - PIVOT_CM) @ Pose(30, 0, 0).rotation.T + PIVOT_CM, atol=1e-4)


def test_the_camera_projects_as_a_pinhole() -> None:
    camera = Camera(np.array([0, 0, 100], np.float32), 200.0, (50.0, 60.0), (100, 120))
    pixel = camera.project(camera.seen(np.array([[10, 5, 0]], np.float32)))
    np.testing.assert_allclose(pixel, [[50 + 20, 60 - 10]])


def test_an_enlarged_camera_agrees_with_resizing_by_area() -> None:
    camera = Camera(np.array([0, 0, 100], np.float32), 200.0, (50.0, 60.0), (100, 120))
    seen = camera.seen(np.array([[3, 4, 1]], np.float32))
    big = camera.enlarged(2).project(seen)
    np.testing.assert_allclose((big + 0.5) / 2 - 0.5, camera.project(seen))


@pytest.mark.parametrize("seed", range(5))
def test_a_portrait_holds_all_landmarks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landmarks = rng.normal(0, 4, (68, 3)).astype(np.float32)
    camera = draw_camera(landmarks, 224, rng)
    pixels = camera.project(camera.seen(landmarks))
    assert pixels.min() > 0
    assert pixels.max() < 223
    assert 0.44 < (pixels.max(0) - pixels.min(0)).max() / 224 < 0.64


def test_light_and_srgb_are_inverse() -> None:
    values = np.linspace(0, 1, 101)
    np.testing.assert_allclose(encoded(linear(values)), values, atol=1e-5)


def test_a_good_camera_leaves_grey_as_it_is() -> None:
    plain = Development((1, 1, 1), 1.0, 0.0, 1.0, 0.0, (0.0, 0.0), 1.0, 0.0, 0.0, False, 90, 0)
    image = develop(np.full((8, 8, 3), 0.5, np.float32), plain)
    assert (image == round(float(encoded(np.array(0.5))) * 255)).all()
    noisy = develop(np.full((64, 64, 3), 0.5, np.float32), replace(plain, noise=0.05))
    assert 8 < noisy.std() < 16
    assert (develop(np.full((64, 64, 3), 0.5, np.float32), replace(plain, noise=0.05)) == noisy).all()


def test_a_white_surface_under_an_even_sky_sends_back_what_it_gets() -> None:
    lights = lights_of(Environment(np.ones((64, 128, 3), np.float32)), np.random.default_rng(0))
    many = [lights_of(Environment(np.ones((64, 128, 3), np.float32)), np.random.default_rng(k)) for k in range(300)]
    up = np.array([[0, 0, 1.0]], np.float32)
    look = Look(np.ones((1, 3), np.float32), up, np.ones(1, np.float32), np.zeros(1, np.float32))
    reached = np.ones((1, len(lights.directions)), np.float32)
    sent = np.mean([shaded(look, up, one, reached)[0] for one in many])
    np.testing.assert_allclose(sent, 1.03, rtol=0.05)  # three per cent of ambient light
    dark = shaded(look, up, lights, 0 * reached)
    assert 0 < dark.max() < 0.05


def test_normals_stay_of_unit_length_and_turn_against_the_slope() -> None:
    normal = np.array([[0, 0, 1.0]], np.float32)
    turned = tilted(normal, np.array([[0.5, 0, 7.0]], np.float32))
    np.testing.assert_allclose(np.linalg.norm(turned), 1, rtol=1e-6)
    np.testing.assert_allclose(turned, np.array([[-0.5, 0, 1]]) / np.sqrt(1.25), rtol=1e-6)

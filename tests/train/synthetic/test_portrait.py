from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from startrack.train.sets import rendered
from startrack.train.sets.sample import DatasetError
from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.camera import Camera
from startrack.train.synthetic.face_truth import face_truth
from startrack.train.synthetic.geometry.rasteriser import rasterise
from startrack.train.synthetic.head.expression import Expression, draw_expression
from startrack.train.synthetic.head.head_model import EYE_RADIUS_CM
from startrack.train.synthetic.head.identity import age_offset
from startrack.train.synthetic.head.markup import HELD_DEG, MULTI_PIE_VERTICES, face_triangles, landmark_places
from startrack.train.synthetic.light import Environment, draw_environment
from startrack.train.synthetic.person import draw_person
from startrack.train.synthetic.pose import Pose
from startrack.train.synthetic.rendered_set import make_series, open_series, render_series
from startrack.train.synthetic.scene import Actor, Scene, make_scene, place
from startrack.train.synthetic.studio import Studio

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]
INNER = slice(17, 68)


def bare_scene(studio: Studio, pose: Pose, **weights: float) -> Scene:
    """A head without anything worn, with an expression."""
    person = draw_person(studio, 1, 1)
    parts = replace(person.parts, meshes=[], shells=[])
    names = studio.head.expression_names
    values = np.array([weights.get(name, 0.0) for name in names], np.float32)
    actor = Actor(replace(person, parts=parts), Expression("made", values, (0.0, 0.0)), pose, np.zeros(3, np.float32))
    return make_scene([place(studio, actor)])


def camera_before(studio: Studio, scene: Scene, distance_cm: float = 80.0, size: int = 400) -> Camera:
    middle = studio.landmarks.places(scene.placed[0].landmark_vertices).mean(0)
    return Camera(middle + np.array([0, 0, distance_cm], np.float32), 1100.0, (size / 2, size / 2), (size, size))


@pytest.mark.parametrize("yaw", [-80, -40, 0, 25, 60, 90])
def test_visible_landmarks_lie_on_the_surface_that_their_pixel_shows(studio: Studio, yaw: float) -> None:
    scene = bare_scene(studio, Pose(yaw, 5, 10), jawOpen=0.4)
    camera = camera_before(studio, scene)
    truth = face_truth(studio, scene, 0, camera)
    seen = camera.seen(scene.mesh.vertices)
    screen = np.column_stack([camera.project(seen), 1 / seen[:, 2]]).astype(np.float32)
    raster = rasterise(screen, scene.mesh, camera.size, scene.textures, ~scene.layered)
    pixels = np.rint(truth.landmarks).astype(int)
    assert pixels.min() > 3
    assert pixels.max() < 396
    # an outline's pixel may just miss the skin: one of those up to three pixels away, 0.25 cm, must show it
    around = np.array([(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4)])
    inverse_depth = np.stack([raster.inverse_depth[pixels[:, 1] + dy, pixels[:, 0] + dx] for dy, dx in around])
    behind = 1 / np.maximum(inverse_depth, 1e-6) - truth.landmarks_cm[:, 2]
    assert truth.visible.sum() > 30
    near = np.abs(behind).min(0) < np.where(np.arange(68) < 17, 2.2, 0.6)
    assert near[truth.visible].mean() > 0.96
    assert (behind[:, ~truth.visible].min(0) < -0.55).all()


def test_projected_landmarks_are_those_of_the_geometry(studio: Studio) -> None:
    scene = bare_scene(studio, Pose(0, 0, 0))
    camera = camera_before(studio, scene)
    truth = face_truth(studio, scene, 0, camera)
    vertices = scene.placed[0].landmark_vertices
    expected = camera.project(camera.seen(studio.landmarks.places(vertices)))
    np.testing.assert_allclose(truth.landmarks[INNER], expected[INNER], atol=0.01)
    np.testing.assert_allclose(truth.landmarks, camera.project(truth.landmarks_cm), atol=1e-6)
    order = truth.landmarks
    assert order[36, 0] < order[39, 0] < order[42, 0] < order[45, 0]
    assert order[27, 1] < order[30, 1] < order[51, 1] < order[57, 1] < order[8, 1]


def test_a_turned_head_hides_its_far_side(studio: Studio) -> None:
    for yaw, hidden, shown in ((80, range(42, 48), range(36, 42)), (-80, range(36, 42), range(42, 48))):
        scene = bare_scene(studio, Pose(yaw, 0, 0))
        visible = face_truth(studio, scene, 0, camera_before(studio, scene)).visible
        # the subject's right eye is 36 to 41: it is seen when the head turns to the subject's left
        assert visible[list(shown)].all()
        assert not visible[list(hidden)].any()


def test_an_outline_is_seen_and_a_shut_eye_hides_its_iris(studio: Studio) -> None:
    for yaw, least in ((-35, 16), (0, 17), (35, 16), (60, 11)):  # at 60° nose and lips hide a part of the far cheek
        scene = bare_scene(studio, Pose(yaw, 0, 0))
        truth = face_truth(studio, scene, 0, camera_before(studio, scene))
        assert truth.visible[:17].sum() >= least
    straight = bare_scene(studio, Pose(0, 0, 0))
    assert face_truth(studio, straight, 0, camera_before(studio, straight)).iris_visible.all()
    shut = bare_scene(studio, Pose(0, 0, 0), eyeBlink_L=1.0, eyeBlink_R=1.0)
    assert not face_truth(studio, shut, 0, camera_before(studio, shut)).iris_visible.any()


def test_the_far_outline_is_the_outermost_place_of_the_cheek(studio: Studio) -> None:
    scene = bare_scene(studio, Pose(50, 0, 0))
    camera = camera_before(studio, scene)
    truth = face_truth(studio, scene, 0, camera)
    skin = camera.project(camera.seen(scene.placed[0].landmark_vertices[np.unique(face_triangles(studio.head))]))
    for point in (12, 13, 14):  # the subject's left cheek, on the picture's right
        x, y = truth.landmarks[point]
        row = skin[np.abs(skin[:, 1] - y) < 2.5]
        assert abs(row[:, 0].max() - x) < 6


@pytest.mark.parametrize("yaw", [-90, -65, -40, 40, 65, 90])
def test_the_near_outline_follows_the_edge_of_the_jaw_in_even_steps(studio: Studio, yaw: float) -> None:
    scene = bare_scene(studio, Pose(yaw, 0, 0))
    places = face_truth(studio, scene, 0, camera_before(studio, scene)).landmarks_cm
    near = places[:8] if yaw > 0 else places[16:8:-1]  # the subject's right side shows when the head turns to the left
    steps = np.linalg.norm(np.diff(near[:7], axis=0), axis=1)
    assert steps.max() < 1.2 * steps.min()


@pytest.mark.parametrize("pitch", [-25, 0, 25])
def test_the_outline_goes_over_from_the_front_to_the_edge_without_a_jump(studio: Studio, pitch: float) -> None:
    tracks = []
    for yaw in np.arange(-46.0, 46.5, 1.0):
        scene = bare_scene(studio, Pose(float(yaw), pitch, 0))
        tracks.append(face_truth(studio, scene, 0, camera_before(studio, scene)).landmarks_cm[:17])
    jumps = np.linalg.norm(np.diff(tracks, 2, axis=0), axis=2)
    assert jumps.max() < 0.6


def test_landmarks_move_smoothly_while_the_head_turns(studio: Studio) -> None:
    tracks = []
    for yaw in np.arange(20, 30, 0.5):
        scene = bare_scene(studio, Pose(float(yaw), 0, 0))
        tracks.append(face_truth(studio, scene, 0, camera_before(studio, scene)).landmarks)
    steps = np.linalg.norm(np.diff(tracks, axis=0), axis=2)
    assert steps.max() < 5
    assert np.abs(np.diff(tracks, 2, axis=0)).max() < 2.5


def test_the_markup_lies_on_the_skin_and_is_symmetric(studio: Studio) -> None:
    wanted, found = landmark_places(studio.head), studio.landmarks.places(studio.head.neutral)
    assert np.linalg.norm(wanted - found, axis=1).max() < 0.35
    order = np.array([16 - k for k in range(17)] + [26 - k for k in range(10)])
    np.testing.assert_allclose(found[:27], found[order] * np.array([-1, 1, 1]), atol=0.05)


def test_the_markup_follows_its_definition(studio: Studio) -> None:
    places = landmark_places(studio.head)
    steps = np.linalg.norm(np.diff(places[:17, :2], axis=0), axis=1)
    assert steps.max() < 1.15 * steps.min(), "equal distances along the contour"
    np.testing.assert_allclose(places[[58, 61, 67], 0], places[50, 0], atol=0.01)
    heights = (places @ Pose(0, HELD_DEG, 0).rotation.T)[:, 1]
    assert abs(heights[0] - heights[36]) < 0.05, "the outline begins at the height of the outer eye corner"
    assert places[8, 1] == places[:, 1].min()
    assert abs(places[8, 0]) < 1e-6
    brow, lid = places[17:22, 1], places[37, 1]
    assert ((brow > lid + 0.5) & (brow < lid + 2)).all()
    across = np.diff(places[17:22, 0])
    assert across.max() < 1.35 * across.min(), "five points evenly along the brow"


def test_corners_and_peaks_lie_where_the_red_and_the_lids_end(studio: Studio) -> None:
    """The mesh's own vertices lie 0.1 to 0.25 cm beyond the corners that pictures show, and its bow is wider than the
    philtrum, which Farkas, "Anthropometry of the Head and Face" (1994), measures between the peaks."""
    places = landmark_places(studio.head)
    own = studio.head.neutral[[studio.head.number[vertex] for vertex in MULTI_PIE_VERTICES]]
    assert 1.0 < places[52, 0] - places[50, 0] < 1.3
    assert 4.5 < places[54, 0] - places[48, 0] < 5.0
    for corner, inwards in ((36, 1), (48, 1), (60, 1), (45, -1), (54, -1), (64, -1)):
        assert 0.1 < inwards * (places[corner, 0] - own[corner, 0]) < 0.25
    assert 0.2 < places[60, 0] - places[48, 0] < 0.5, "the lips part inside their corners"


def test_smiles_are_as_many_and_as_broad_as_in_photos(studio: Studio) -> None:
    head, rng = studio.head, np.random.default_rng(0)
    widths = []
    for _ in range(300):
        drawn = draw_expression(head.expression_names, rng)
        places = studio.landmarks.places(head.neutral + head.express(drawn.weights))
        widths.append((places[54, 0] - places[48, 0]) / (places[45, 0] - places[36, 0]))
    neutral = studio.landmarks.places(head.neutral)
    shut = (neutral[54, 0] - neutral[48, 0]) / (neutral[45, 0] - neutral[36, 0])
    broad = np.array(widths) > 1.15 * shut
    assert 0.25 < broad.mean() < 0.5


def test_some_walls_are_as_bright_as_the_skin_before_them() -> None:
    like_skin = 0
    for number in range(200):
        light = Backdrops().draw(made_environment(), (48, 48), 0.2, np.random.default_rng(number))
        smooth = np.abs(np.diff(light, axis=1)).max() < 0.05 * light.mean()
        warm = light[..., 0].mean() > light[..., 2].mean()
        like_skin += bool(smooth and warm and abs(np.log(light.mean() / 0.2)) < 0.5)
    assert 10 < like_skin < 60


def made_environment() -> Environment:
    return draw_environment((), np.random.default_rng(0))


def test_eyes_have_the_size_of_eyes(studio: Studio) -> None:
    person = draw_person(studio, 0, 0)
    assert 2.3 < 2 * EYE_RADIUS_CM * person.eye_scale < 2.8
    for look in ((0.0, 0.0), (30.0, 0.0)):
        actor = Actor(
            person, Expression("made", np.zeros(57, np.float32), look), Pose(0, 0, 0), np.zeros(3, np.float32)
        )
        iris = place(studio, actor).head.iris - person.eye_centres
        angle = np.rad2deg(np.arctan2(iris[:, 0], iris[:, 2]))
        np.testing.assert_allclose(angle, look[0], atol=0.1)
        assert np.linalg.norm(iris, axis=1).max() < EYE_RADIUS_CM * person.eye_scale


def test_age_changes_the_proportions_of_a_head(studio: Studio) -> None:
    places = studio.landmarks.places(studio.head.neutral)
    child, grown = places + age_offset(places, 3), places + age_offset(places, 30)
    np.testing.assert_allclose(grown, places)

    def face_length(points: np.ndarray) -> float:
        """From the eyes to the chin, over the eyes' outer distance."""
        return float((points[39, 1] - points[8, 1]) / (points[45, 0] - points[36, 0]))

    assert face_length(child) < 0.93 * face_length(grown)
    assert child[30, 2] - child[27, 2] < grown[30, 2] - grown[27, 2]  # a flatter nose
    old = places + age_offset(places, 80)
    assert old[51, 1] - old[57, 1] < places[51, 1] - places[57, 1]  # thinner lips


def test_a_seed_gives_the_same_bytes_and_an_interrupted_set_goes_on(studio: Studio, tmp_path: Path) -> None:
    backdrops = Backdrops()
    series = make_series(studio, 5, 96, backdrops)
    for folder in (tmp_path / "a", tmp_path / "b"):
        open_series(folder, series)
    assert [new for _, new in render_series(studio, tmp_path / "a", series, range(3), backdrops)] == [True] * 3
    assert [new for _, new in render_series(studio, tmp_path / "b", series, range(2, 0, -1), backdrops)] == [True] * 2
    (tmp_path / "b/0000/0000001.json").unlink()  # as an interruption leaves it
    again = list(render_series(studio, tmp_path / "b", series, range(3), backdrops))
    assert again == [(0, True), (1, True), (2, False)]
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(names) == 10
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    samples = rendered.load(tmp_path / "a", "all")
    assert [sample.read_image().shape for sample in samples] == [(96, 96, 3)] * 3
    facts = json.loads((tmp_path / "a/0000/0000000.json").read_text())
    assert {"iris", "gaze", "rotation", "blendshapes", "landmarks_cm", "age_years"} <= set(facts)


def test_another_series_does_not_go_into_the_same_folder(studio: Studio, tmp_path: Path) -> None:
    series = make_series(studio, 5, 96, Backdrops())
    open_series(tmp_path / "a", series)
    open_series(tmp_path / "a", series)
    with pytest.raises(DatasetError, match=r"series\.json: made with seed 5; expected 6, or a new folder"):
        open_series(tmp_path / "a", replace(series, seed=6))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").touch()
    with pytest.raises(DatasetError, match="b: holds other files; expected a new folder"):
        open_series(tmp_path / "b", series)

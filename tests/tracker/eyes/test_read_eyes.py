"""Eyes of a face: one batch, right order, left ones mirrored; through the pipeline, its smoothers and signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from disc_world import DiscDetector, disc_engine, disc_frame

from startrack.engines.base import EngineError
from startrack.engines.fake_eye_engine import FakeEyeEngine, open_eyes
from startrack.tracker.eyes.read_eyes import EyeReader
from startrack.tracker.latency import Stopwatch
from startrack.tracker.look_ahead import LookAhead, look_ahead
from startrack.tracker.pipeline import read_stills, track_frames
from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98
from startrack.tracker.signals import SignalStage, blendshape_names, with_signals
from startrack.tracker.signals.head_model import HEAD_68
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import Frame, Landmarks, TrackedFrame
from tests.tracker.eyes.made_eyes import SPEC, fake_engine

FRAME = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0)
SURE = {"lid_covariance": np.tile(1e-9 * np.eye(2, dtype=np.float32), (64, 6, 1, 1))}


def head(at: tuple[float, float] = (320.0, 200.0), size: float = 100.0) -> Landmarks:
    points = HEAD_68[:, :2] * size + at
    return Landmarks(points, np.tile(np.eye(2), (68, 1, 1)), np.ones(68), 1.0)


def read(engine: FakeEyeEngine, *faces: Landmarks) -> list[Landmarks]:
    return EyeReader(engine, IBUG_68)(FRAME, faces, Stopwatch())


def test_lids_come_back_in_ibugs_order_on_both_sides() -> None:
    """The fake's eye has its outer corner at one end of the crop's middle line and its inner corner at the other."""
    before = head()
    [after] = read(fake_engine(**SURE), before)
    # corners are where they were: the crop is cut around them, and the fake's eye is as wide as the crop's scale says
    np.testing.assert_allclose(after.points[[36, 39, 42, 45]], before.points[[36, 39, 42, 45]], atol=1.5)
    # upper lids above the line between the corners, lower ones below
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert after.points[upper, 1] < before.points[36, 1] < after.points[lower, 1]
        assert abs(after.points[upper, 0] - after.points[lower, 0]) < 3
    assert after.points[36, 0] < after.points[37, 0] < after.points[38, 0] < after.points[39, 0]
    assert after.points[42, 0] < after.points[43, 0] < after.points[44, 0] < after.points[45, 0]
    mirrored = [int(IBUG_68.flip_order[k]) for k in range(36, 42)]
    middle = 320.0
    np.testing.assert_allclose(middle - after.points[36:42, 0], after.points[mirrored, 0] - middle, atol=1e-4)
    others = [*range(36), *range(48, 68)]
    np.testing.assert_array_equal(after.points[others], before.points[others])


def test_lids_lie_where_the_markups_annotators_set_them() -> None:
    """Their bias is to the picture's right on both sides, a mirrored crop's left."""
    biased = replace(SPEC, lid_bias=(1.0, 0.0) * 6)
    [plain] = read(fake_engine(**SURE), head())
    engine = FakeEyeEngine(
        biased,
        lambda crops: replace(open_eyes(biased, len(crops)), lid_covariance=SURE["lid_covariance"][: len(crops)]),
    )
    [moved] = read(engine, head())
    zoom = 64 / (1.8 * np.linalg.norm(head().points[39] - head().points[36]))
    np.testing.assert_allclose(moved.points[36:48] - plain.points[36:48], [[1 / zoom, 0]] * 12, atol=0.02)
    assert moved.eyes is not None
    assert plain.eyes is not None
    np.testing.assert_array_equal(moved.eyes.iris, plain.eyes.iris)


def test_a_left_eyes_gaze_and_iris_are_mirrored_back() -> None:
    iris = np.tile(np.array([[40.0, 20.0]], np.float32), (2, 1))
    gaze = np.tile(np.array([[0.6, 0.0, -0.8]], np.float32), (2, 1))
    [face] = read(fake_engine(iris=iris, gaze=gaze), head())
    assert face.eyes is not None
    # to the crop's right: to the nose, on each side
    np.testing.assert_allclose(face.eyes.gaze, [[0.6, 0, -0.8], [-0.6, 0, -0.8]], atol=1e-6)
    right, left = (face.points[[a, b]].mean(axis=0) for a, b in ((36, 39), (42, 45)))
    zoom = 64 / (1.8 * np.linalg.norm(head().points[39] - head().points[36]))
    np.testing.assert_allclose(face.eyes.iris[0] - right, np.array([8.5, -3.5]) / zoom, atol=0.5)
    np.testing.assert_allclose(face.eyes.iris[1] - left, np.array([-8.5, -3.5]) / zoom, atol=0.5)
    np.testing.assert_allclose(face.eyes.radius, open_eyes(SPEC, 1).iris_radius[0] / zoom, rtol=1e-5)


def test_a_face_that_leans_turns_its_gaze_with_it() -> None:
    gaze = np.tile(np.array([[0.0, 0.6, -0.8]], np.float32), (2, 1))
    upright = head()
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # clockwise on the screen: down becomes left
    points = (upright.points - [320, 200]) @ quarter.T + [320, 200]
    [face] = read(fake_engine(gaze=gaze), Landmarks(points, upright.covariance, upright.score, 1.0))
    assert face.eyes is not None
    np.testing.assert_allclose(face.eyes.gaze, [[-0.6, 0, -0.8]] * 2, atol=1e-6)


def test_all_faces_are_one_batch_and_none_is_no_call() -> None:
    sizes: list[int] = []

    def count(crops: np.ndarray) -> object:
        sizes.append(len(crops))
        return open_eyes(SPEC, len(crops))

    engine = FakeEyeEngine(SPEC, count)  # type: ignore[arg-type]
    found = read(engine, head(), head((100, 100), 50.0), head((500, 300), 30.0))
    assert sizes == [6]
    assert [face.eyes is not None for face in found] == [True] * 3
    assert read(engine) == []
    assert sizes == [6]


def test_values_that_are_not_finite_are_refused() -> None:
    for name in ("lids", "gaze", "iris_radius", "openness"):
        value = getattr(open_eyes(SPEC, 2), name).copy()
        value[1] = np.nan
        with pytest.raises(EngineError, match="eyes: frame 0: eyes that are not finite numbers"):
            read(fake_engine(**{name: value}), head())


def test_a_markup_without_lids_is_refused_and_one_that_has_ibugs_is_not() -> None:
    with pytest.raises(ValueError, match="cofw_29 has no lids; expected ibug_68"):
        EyeReader(fake_engine(), COFW_29)
    points = np.full((98, 2), 9.0)
    points[list(WFLW_98.ibug_68)] = head().points
    marks = Landmarks(points, np.tile(np.eye(2), (98, 1, 1)), np.ones(98), 1.0)
    [found] = EyeReader(fake_engine(**SURE), WFLW_98)(FRAME, [marks], Stopwatch())
    [plain] = read(fake_engine(**SURE), head())
    np.testing.assert_allclose(found.points[list(WFLW_98.ibug_68)], plain.points, atol=1e-9)


def test_closing_it_closes_the_engine() -> None:
    engine = fake_engine()
    EyeReader(engine, IBUG_68).close()
    assert engine.closed


WORLD = [[(60 + 2 * t, 100 + t, 30)] for t in range(25)] + [[]] * 3 + [[(110, 120, 30), (220, 120, 25)]] * 20


def run(*, eyes: bool, ahead: int = 0) -> list[TrackedFrame]:
    frames = [disc_frame(discs, index) for index, discs in enumerate(WORLD)]
    reader = EyeReader(fake_engine(), IBUG_68) if eyes else None
    smooth = {"make_smoother": NoSmoothing} if ahead else {}
    tracked = track_frames(frames, DiscDetector(), disc_engine(), eyes=reader, **smooth)
    stage = SignalStage(IBUG_68)
    return list(with_signals(look_ahead(tracked, LookAhead(IBUG_68, ahead)) if ahead else tracked, stage))


@pytest.mark.parametrize("ahead", [0, 5])
def test_every_face_of_every_frame_has_eyes(ahead: int) -> None:
    tracked, without = run(eyes=True, ahead=ahead), run(eyes=False, ahead=ahead)
    assert [len(one.tracks) for one in tracked] == [len(one.tracks) for one in without]
    faces = [face for one in tracked for face in one.tracks]
    assert len(faces) > 50
    for face in faces:
        assert face.eyes is not None
        assert face.signals is not None
        assert tuple(face.signals.blendshapes) == blendshape_names(eyes=True)
        assert np.linalg.norm(face.eyes.gaze) == pytest.approx(1)
        # the irises ride on the face
        assert np.abs(face.eyes.iris - face.landmarks.points[[36, 45]]).max() < 15
    for one in (face for frame in without for face in frame.tracks):
        assert one.eyes is None
        assert one.landmarks.eyes is None
        assert one.signals is not None
        assert tuple(one.signals.blendshapes) == blendshape_names()


def test_single_pictures_have_eyes_too() -> None:
    reader = EyeReader(fake_engine(), IBUG_68)
    stills = read_stills([disc_frame([(60, 100, 30)])], DiscDetector(), disc_engine(), eyes=reader)
    [[face]] = [one.tracks for one in stills]
    assert face.landmarks.eyes is not None

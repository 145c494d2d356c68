"""The overlay: paints in the right place and colour, and leaves the frame alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from startrack.tracker.crop import bounding_box, roi_from_points
from startrack.tracker.palette import PALETTE
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.screen.overlay import curve_weights, draw_overlay
from startrack.tracker.types import Frame, ImageArray, Landmarks, StageLatency, Track, TrackedFrame
from tests.tracker.eyes.made_eyes import eyes

RNG = np.random.default_rng(5)
SHAPE = RNG.uniform(0, 1, (68, 2))
"""A face as unit square: any 68 points will do."""


def tracked(image: ImageArray, *tracks: Track) -> TrackedFrame:
    return TrackedFrame(Frame(image, 0, 0.0), tracks, StageLatency())


def face(left: float, top: float, size: float, *, number: int = 0, score: float = 1.0) -> Track:
    points = SHAPE * size + [left, top]
    covariance = np.broadcast_to(np.diag([size / 4, size / 16]), (68, 2, 2))
    landmarks = Landmarks(points, covariance, np.full(68, score), 1.0)
    return Track(number, landmarks, bounding_box(points), roi_from_points(points, 1.25))


def grey(height: int = 240, width: int = 320, value: int = 128) -> ImageArray:
    return np.full((height, width, 3), value, np.uint8)


def changed(before: ImageArray, after: ImageArray) -> np.ndarray:
    return np.any(before != after, axis=2)


def test_the_frame_is_never_written_into() -> None:
    image = grey()
    image.flags.writeable = False
    after = draw_overlay(tracked(image, face(100, 60, 120)), IBUG_68, ellipses=True)
    assert (image == 128).all()
    assert changed(image, after).any()


def test_without_tracks_a_copy_is_returned() -> None:
    image = grey()
    after = draw_overlay(tracked(image), IBUG_68)
    assert after is not image
    assert (after == image).all()


def test_paint_stays_around_the_face() -> None:
    after = draw_overlay(tracked(grey(), face(100, 80, 100)), IBUG_68)
    rows, columns = np.nonzero(changed(grey(), after))
    assert rows.min() > 80 - 50
    assert rows.max() < 180 + 30
    assert columns.min() > 100 - 30
    assert columns.max() < 200 + 30


@pytest.mark.parametrize("value", [0, 255])
def test_lines_show_on_black_and_on_white(value: int) -> None:
    image = grey(value=value)
    after = draw_overlay(tracked(image, face(60, 60, 150)), IBUG_68, box=False, ids=False).astype(int)
    assert np.abs(after - value).max(axis=2).max() > 90


def test_landmarks_are_painted_where_they_are() -> None:
    track = face(60, 60, 150)
    after = draw_overlay(tracked(grey(), track), IBUG_68, box=False, ids=False).astype(int)
    for x, y in np.rint(track.landmarks.points).astype(int):
        assert after[y - 1 : y + 2, x - 1 : x + 2].max() > 190


def test_landmarks_without_lines_have_larger_dots() -> None:
    image, known = grey(), face(100, 60, 120)
    dots_alone = replace(IBUG_68, edges=())
    middle = known.landmarks.points[40].round().astype(int)
    around = (slice(middle[1] - 2, middle[1] + 3), slice(middle[0] - 2, middle[0] + 3))
    after = draw_overlay(tracked(image, known), dots_alone)
    assert changed(image, after)[around].mean() > 0.5


def test_each_id_has_its_colour() -> None:
    pictures = [
        draw_overlay(tracked(grey(), face(60, 60, 150, number=number)), IBUG_68).astype(float) for number in range(9)
    ]
    assert all(np.abs(pictures[0] - other).max() > 40 for other in pictures[1:8])
    assert np.abs(pictures[0][80:] - pictures[8][80:]).max() == 0  # the palette begins again; the number differs
    assert len(set(PALETTE)) == 8


def test_options_add_their_part() -> None:
    frame = tracked(grey(), face(80, 80, 120))
    nothing = {"box": False, "ids": False, "ellipses": False}
    bare = draw_overlay(frame, IBUG_68, **nothing)
    for option in nothing:
        assert changed(bare, draw_overlay(frame, IBUG_68, **{**nothing, option: True})).sum() > 20, option


def test_an_unsure_landmark_fades() -> None:
    x, y = np.rint(face(60, 60, 150).landmarks.points[30]).astype(int)
    sure, unsure = (
        draw_overlay(tracked(grey(value=0), face(60, 60, 150, score=score)), IBUG_68)[y, x].astype(int).sum()
        for score in (1.0, 0.0)
    )
    assert unsure < sure


@pytest.mark.parametrize(
    ("left", "top", "size"), [(-60, -60, 120), (290, 200, 120), (-500, 40, 100), (100, 100, 0), (-3e6, -3e6, 6e6)]
)
def test_faces_at_and_beyond_the_edge(left: float, top: float, size: float) -> None:
    after = draw_overlay(tracked(grey(), face(left, top, size)), IBUG_68, ellipses=True)
    assert after.shape == (240, 320, 3)


def test_a_face_of_nan_is_left_out() -> None:
    track = face(50, 50, 100)
    nowhere = np.full((68, 2), np.nan)
    track = replace(track, landmarks=replace(track.landmarks, points=nowhere), box=bounding_box(nowhere))
    assert (draw_overlay(tracked(grey(), track), IBUG_68) == 128).all()


def test_landmarks_of_another_scheme_are_refused() -> None:
    track = face(60, 60, 100)
    landmarks = Landmarks(np.zeros((5, 2)), np.zeros((5, 2, 2)), np.ones(5), 1.0)
    with pytest.raises(ValueError, match="track 0: 5 landmarks, but ibug_68 has 68"):
        draw_overlay(tracked(grey(), Track(0, landmarks, track.box, track.roi)), IBUG_68)


@pytest.mark.parametrize("closed", [False, True])
def test_curves_run_through_their_landmarks(closed: bool) -> None:
    points = RNG.uniform(0, 100, (6, 2))
    curve = curve_weights(6, closed) @ points
    for point in points:
        assert np.abs(curve - point).max(axis=1).min() < 1e-9
    assert np.allclose(curve[0], points[0])
    assert np.allclose(curve[-1], points[0] if closed else points[-1])


def test_a_curve_through_evenly_spaced_landmarks_of_a_line_is_that_line() -> None:
    points = np.stack([np.arange(5.0), 2 * np.arange(5.0)], axis=1)
    curve = curve_weights(5, False) @ points
    assert np.allclose(curve[:, 1], 2 * curve[:, 0])
    assert (np.diff(curve[:, 0]) > 0).all()


def test_irises_are_circled_and_the_gaze_is_a_ray() -> None:
    one = face(100, 60, 120)
    low, high = np.array([130.0, 100.0]), np.array([180.0, 100.0])
    found = replace(eyes(15.0), iris=np.stack([low, high]), radius=np.array([6.0, 6.0]))
    plain = draw_overlay(tracked(grey(), one), IBUG_68)
    with_eyes = draw_overlay(tracked(grey(), replace(one, eyes=found)), IBUG_68)
    paint = changed(plain, with_eyes)
    for x, y in (low, high):
        # the circle below and left of the centre, the ray to the right of it
        assert paint[int(y) + 5 : int(y) + 8, int(x)].any()
        assert paint[int(y), int(x) - 8 : int(x) - 4].any()
        assert paint[int(y), int(x) + 9 : int(x) + 13].any()
        assert not paint[int(y), int(x) - 20 : int(x) - 12].any()
    hidden = replace(found, visible=np.zeros(2))
    assert (draw_overlay(tracked(grey(), replace(one, eyes=hidden)), IBUG_68) == plain).all()

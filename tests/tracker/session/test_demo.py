"""The demo clip: its motion, its picture, and the error measured against it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from startrack.tracker.crop import invert_affine, transform_points
from startrack.tracker.session.demo import FACE_CENTRE, camera_motion, make_demo_clip, motion_error
from startrack.tracker.sinks.base import SinkError

SIZE = (1280, 720)
FACE = np.random.default_rng(1).uniform(-50, 50, (68, 2)) + FACE_CENTRE
"""(68, 2) points on the portrait."""


def true_points(count: int = 90) -> np.ndarray:
    return np.array([transform_points(affine, FACE) for affine in camera_motion(count, 30, SIZE).affines])


def test_the_camera_starts_and_ends_at_rest() -> None:
    affines = camera_motion(240, 30, SIZE).affines
    assert np.abs(affines[1] - affines[0]).max() < 0.01
    assert np.abs(affines[-1] - affines[0]).max() < 0.01


def test_the_camera_moves_slowly_enough_to_follow_and_keeps_the_face_in_view() -> None:
    affines = camera_motion(240, 30, SIZE).affines
    corners = np.array(FACE_CENTRE) + np.array([[-45, -60], [45, -60], [45, 60], [-45, 60]])
    points = np.array([transform_points(affine, corners) for affine in affines])
    step = np.linalg.norm(np.diff(points.mean(axis=1), axis=0), axis=1)
    assert 5 < step.max() < 15  # pixels a frame; the face measures about 250
    assert (points > 0).all()
    assert (points < SIZE).all()
    zoom = np.sqrt(np.linalg.det(affines[:, :, :2]))
    assert zoom.max() / zoom.min() > 1.5


def test_landmarks_that_follow_exactly_have_no_error() -> None:
    error = motion_error(true_points(), camera_motion(90, 30, SIZE))
    assert error.mean_percent < 1e-9
    assert error.missed_frames == 0
    assert error.lag_frames == pytest.approx(0, abs=1e-6)


def test_a_constant_offset_on_the_face_is_no_error() -> None:
    moved = np.array([transform_points(a, FACE + np.array([3, -2])) for a in camera_motion(90, 30, SIZE).affines])
    assert motion_error(moved, camera_motion(90, 30, SIZE)).mean_percent < 1e-9


def test_a_jump_is_counted_in_per_cent_of_the_inter_ocular_distance() -> None:
    motion = camera_motion(90, 30, SIZE)
    inter_ocular = np.linalg.norm(FACE[45] - FACE[36])
    points = true_points()
    # in one frame of 90, every landmark lies half an inter-ocular distance too far to the right on the portrait
    points[7] = transform_points(motion.affines[7], FACE + np.array([inter_ocular / 2, 0]))
    error = motion_error(points, motion)
    assert error.mean_percent == pytest.approx(50 / 90)
    assert error.p95_percent == pytest.approx(0, abs=1e-9)


def test_a_delay_is_found() -> None:
    points = true_points(120)
    points[2:] = points[:-2].copy()
    error = motion_error(points, camera_motion(120, 30, SIZE))
    assert error.lag_frames == pytest.approx(2, abs=0.1)
    assert error.mean_percent > 1


def test_missed_frames_are_left_out_and_counted() -> None:
    points = true_points()
    points[20:24] = np.nan
    error = motion_error(points[:85], camera_motion(90, 30, SIZE))
    assert error.missed_frames == 4 + 5
    assert error.mean_percent < 1e-9
    nothing = motion_error(np.full((90, 68, 2), np.nan), camera_motion(90, 30, SIZE))
    assert nothing.missed_frames == 90
    assert np.isnan(nothing.mean_percent)


def test_more_frames_than_the_clip_are_refused() -> None:
    with pytest.raises(ValueError, match="91 frames of landmarks, but the clip has 90"):
        motion_error(true_points(91), camera_motion(90, 30, SIZE))


@pytest.mark.parametrize("arguments", [{"size": (321, 180)}, {"seconds": 0.0}])
def test_impossible_clips_are_refused(tmp_path: Path, arguments: dict[str, tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="an even size and at least one frame expected"):
        make_demo_clip(tmp_path / "clip.mp4", **arguments)  # type: ignore[arg-type]


def decode(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [float(frame.time or 0) for frame in frames]


def test_the_clip_shows_the_portrait_where_the_motion_says(tmp_path: Path) -> None:
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    motion = make_demo_clip(tmp_path / "clip.mp4", seconds=3.4, fps=5, size=(640, 360))
    images, times = decode(tmp_path / "clip.mp4")
    assert motion.affines.shape == (17, 2, 3)
    assert times == pytest.approx([k / 5 for k in range(17)])
    portrait = skimage_data.astronaut().astype(float)
    for index in (0, 8, 11):
        y, x = np.mgrid[90:150:3, 190:260:3]
        on_portrait = np.stack([x, y], axis=-1).reshape(-1, 2)
        columns, rows = np.rint(transform_points(motion.affines[index], on_portrait)).astype(int).T
        back = transform_points(invert_affine(motion.affines[index]), np.stack([columns, rows], axis=1))
        expected = portrait[np.rint(back[:, 1]).astype(int), np.rint(back[:, 0]).astype(int)]
        assert np.abs(images[index][rows, columns] - expected).mean() < 9


def test_the_same_arguments_give_the_same_clip(tmp_path: Path) -> None:
    pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    for name in ("first.mp4", "second.mp4"):
        make_demo_clip(tmp_path / name, seconds=0.4, fps=10, size=(320, 180))
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    with pytest.raises(SinkError, match=r"nowhere/clip\.mp4: cannot be written"):
        make_demo_clip(tmp_path / "nowhere" / "clip.mp4", seconds=0.1, fps=10, size=(320, 180))

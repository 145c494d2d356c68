"""The look-ahead stage: frames in order, each once, never smoothed across a loss, a cut or a new id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from startrack.tracker.crop import bounding_box
from startrack.tracker.look_ahead import LookAhead, look_ahead, usual_look_ahead
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.train.conftest import face_points

FACE = face_points((200.0, 150.0), 60.0)
PICTURE = np.zeros((4, 4, 3), np.uint8)
ROI = Roi(np.array([200.0, 150.0]), 150.0)
Faces = Sequence[tuple[int, np.ndarray, bool]]


def frame(index: int, faces: Faces) -> TrackedFrame:
    """faces: id, (68, 2) points, and whether nothing before counts."""
    covariance = np.tile(np.eye(2), (68, 1, 1))
    tracks = [
        Track(number, Landmarks(points, covariance, np.ones(68), 1.0), bounding_box(points), ROI, is_first=is_first)
        for number, points, is_first in faces
    ]
    return TrackedFrame(Frame(PICTURE, index, index / 30), tuple(tracks), StageLatency(smooth_ms=1.0))


def frames(count: int, *, ends: type[BaseException] | None = None) -> Iterator[TrackedFrame]:
    for index in range(count):
        yield frame(index, [(0, FACE + 0.1 * index, index == 0)])
    if ends is not None:
        raise ends


@pytest.mark.parametrize("ahead", [0, 1, 5, 9])
def test_frames_come_in_order_and_each_once(ahead: int) -> None:
    stage, out = LookAhead(IBUG_68, ahead), []
    for index, tracked in enumerate(frames(20)):
        out += stage.push(tracked)
        assert len(out) == max(0, index + 1 - ahead)
    out += stage.flush()
    assert [each.frame.index for each in out] == list(range(20))
    assert stage.flush() == []


def test_raw_points_are_kept_beside_the_smoothed_ones_and_boxes_follow_these() -> None:
    rng = np.random.default_rng(0)
    raw = [frame(index, [(3, FACE + rng.normal(0, 0.5, FACE.shape), index == 0)]) for index in range(20)]
    out = list(look_ahead(raw, LookAhead(IBUG_68, 5)))
    for before, after in zip(raw, out, strict=True):
        (seen,), (smoothed,) = before.tracks, after.tracks
        assert smoothed.id == 3
        assert smoothed.landmarks.raw_points is seen.landmarks.points
        assert (smoothed.box == bounding_box(smoothed.landmarks.points)).all()
        assert after.latency.smooth_ms > 1.0
    assert np.abs(out[10].tracks[0].landmarks.points - raw[10].tracks[0].landmarks.points).max() > 0.1


def test_frames_without_a_face_wait_for_those_before_them_only() -> None:
    stage = LookAhead(IBUG_68, 5)
    assert [each.frame.index for each in stage.push(frame(0, []))] == [0]
    assert stage.push(frame(1, [(0, FACE, True)])) == []
    # the face is gone: nothing is waited for
    assert [each.frame.index for each in stage.push(frame(2, []))] == [1, 2]


@pytest.mark.parametrize("how", ["cut", "new id", "loss"])
def test_nothing_is_smoothed_across_a_break(how: str) -> None:
    """The face is elsewhere from one frame to the next: a look across the break would pull its points over."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.3, (40, 68, 2))
    path = [frame(index, [(0, FACE + noise[index], index == 0)]) for index in range(20)]
    number = 1 if how == "new id" else 0
    start = 23 if how == "loss" else 20
    path += [frame(index, []) for index in range(20, start)]
    path += [frame(index, [(number, FACE + 80 + noise[index], index == start)]) for index in range(start, 40)]
    alone = list(look_ahead(path[:20], LookAhead(IBUG_68, 5)))
    whole = list(look_ahead(path, LookAhead(IBUG_68, 5)))
    for first, second in zip(alone, whole[:20], strict=True):
        np.testing.assert_array_equal(first.tracks[0].landmarks.points, second.tracks[0].landmarks.points)
    after = [each.tracks[0].landmarks.points for each in whole[start:]]
    assert max(np.abs(points - FACE - 80).max() for points in after) < 1.5


def test_several_faces_are_smoothed_each_by_itself() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.3, (30, 68, 2))
    both, one = [], []
    for index in range(30):
        first = (0, FACE + noise[index], index == 0)
        second = [(1, FACE + 300 + noise[29 - index], index == 8)] if 8 <= index < 20 else []
        both.append(frame(index, [first, *second]))
        one.append(frame(index, [first]))
    alone = list(look_ahead(one, LookAhead(IBUG_68, 5)))
    together = list(look_ahead(both, LookAhead(IBUG_68, 5)))
    assert [len(each.tracks) for each in together] == [len(each.tracks) for each in both]
    for first_frame, second_frame in zip(alone, together, strict=True):
        first_points, second_points = (each.tracks[0].landmarks.points for each in (first_frame, second_frame))
        np.testing.assert_array_equal(first_points, second_points)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_waits_comes_out_before_an_error_passes_on(error: type[BaseException]) -> None:
    stage = look_ahead(frames(12, ends=error), LookAhead(IBUG_68, 5))
    assert [next(stage).frame.index for _ in range(12)] == list(range(12))
    with pytest.raises(error):
        next(stage)


def test_strength_0_gives_the_points_as_they_are() -> None:
    out = list(look_ahead(frames(10), LookAhead(IBUG_68, 5, strength=0.0)))
    np.testing.assert_array_equal(out[4].tracks[0].landmarks.points, FACE + 0.4)


def test_a_live_source_waits_for_nothing() -> None:
    assert usual_look_ahead(30.0, is_live=True) == 0
    assert usual_look_ahead(25.0, is_live=False) == 5
    assert usual_look_ahead(60.0, is_live=False) == 10
    assert usual_look_ahead(None, is_live=False) == 5

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from disc_world import SHAPE, DiscDetector, disc_engine, disc_frame

from startrack.tracker.pipeline import TrackerOptions, options_for, read_stills, track_frames
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import FaceBox, FloatArray, Frame, TrackedFrame


def run(worlds, *, detector=None, **options) -> list[TrackedFrame]:
    frames = [disc_frame(discs, index) for index, discs in enumerate(worlds)]
    settings = TrackerOptions(**options)
    return list(
        track_frames(frames, detector or DiscDetector(), disc_engine(), make_smoother=NoSmoothing, options=settings)
    )


def ids(tracked: TrackedFrame) -> list[int]:
    return [one.id for one in tracked.tracks]


def test_a_moving_face_is_followed_to_the_pixel_with_one_id_and_few_detections() -> None:
    worlds = [[(60 + 3 * t, 100 + t, 30 + 0.2 * t)] for t in range(40)]
    detector = DiscDetector()
    tracked = run(worlds, detector=detector)
    assert [ids(one) for one in tracked] == [[0]] * 40
    assert detector.calls == 1 + 39 // 15
    for world, one in zip(worlds, tracked, strict=True):
        x, y, radius = world[0]
        np.testing.assert_allclose(one.tracks[0].landmarks.points, [x, y] + SHAPE * radius, atol=1.0)
        assert one.latency.total_ms > 0


def test_with_all_faces_followed_the_detector_rests_but_for_one_look_at_a_face_of_a_second() -> None:
    detector = DiscDetector()
    run([[(100, 100, 30)]] * 80, detector=detector, max_faces=1)
    assert detector.calls == 2


def test_a_second_face_gets_the_next_id_and_both_keep_theirs() -> None:
    worlds = [[(60 + t, 100, 25)] for t in range(10)] + [[(70 + t, 100, 25), (250 - t, 120, 25)] for t in range(40)]
    tracked = run(worlds, detect_every=5)
    assert ids(tracked[9]) == [0]
    assert ids(tracked[15]) == [0, 1]
    assert ids(tracked[-1]) == [0, 1]
    assert tracked[-1].tracks[0].box[0] < tracked[-1].tracks[1].box[0]


def test_a_hidden_face_comes_back_under_its_id_but_not_after_too_long() -> None:
    here, hidden = [[(100, 100, 30)]], [[]]
    soon = run(here * 5 + hidden * 10 + here * 5, lost_s=1.0)
    assert [ids(one) for one in soon] == [[0]] * 5 + [[]] * 10 + [[0]] * 5
    late = run(here * 5 + hidden * 30 + here * 5, lost_s=1.0)
    assert ids(late[-1]) == [1]


def test_no_face_no_track() -> None:
    detector = DiscDetector()
    assert [ids(one) for one in run([[]] * 10, detector=detector)] == [[]] * 10
    assert detector.calls == 10


def test_more_faces_than_allowed_are_left_alone() -> None:
    world = [(50, 60, 20), (150, 60, 20), (250, 60, 20)]
    tracked = run([world] * 20, max_faces=2, detect_every=1)
    assert {len(one.tracks) for one in tracked} == {2}
    assert ids(tracked[-1]) == [0, 1]


def test_two_tracks_that_end_on_one_face_become_one() -> None:
    worlds = [[(60 + 2 * t, 100, 22), (240 - 2 * t, 100, 22)] for t in range(60)]
    worlds += [[(150, 100, 22)]] * 10
    tracked = run(worlds)
    assert len(tracked[-1].tracks) == 1


def test_a_hard_cut_ends_every_track() -> None:
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 120, (240, 320, 3), dtype=np.uint8) for _ in range(2)]
    scenes = [np.kron(scene[::40, ::40], np.ones((40, 40, 1), np.uint8)) for scene in scenes]
    frames = []
    for index in range(20):
        frame = disc_frame([(100, 100, 40)] if index < 10 else [(200, 120, 45)], index)
        frame.image[frame.image[..., 0] == 0] = scenes[index // 10][frame.image[..., 0] == 0]
        frames.append(frame)
    tracked = list(track_frames(frames, DiscDetector(), disc_engine(), make_smoother=NoSmoothing))
    assert [ids(one) for one in tracked] == [[0]] * 10 + [[1]] * 10


def test_frames_may_change_size_and_be_tiny() -> None:
    frames = [
        disc_frame([(100, 100, 30)], 0),
        disc_frame([], 1, size=(1, 1)),
        disc_frame([(40, 40, 20)], 2, size=(90, 80)),
    ]
    tracked = list(track_frames(frames, DiscDetector(), disc_engine()))
    assert [len(one.tracks) for one in tracked] == [1, 0, 1]


def test_the_source_is_read_one_frame_at_a_time_and_its_error_passes() -> None:
    def frames():
        yield disc_frame([(100, 100, 30)], 0)
        raise OSError("unplugged")

    stream = track_frames(frames(), DiscDetector(), disc_engine())
    assert ids(next(stream)) == [0]
    with pytest.raises(OSError, match="unplugged"):
        next(stream)


def test_faces_that_pass_each_other_keep_their_ids() -> None:
    """The small disc walks behind the large one: while it is hidden its crop shows the other."""
    worlds = [[(60 + 4 * t, 118, 22), (260 - 3 * t, 120, 40)] for t in range(50)]
    shown = [world if abs(world[0][0] - world[1][0]) > 50 else world[1:] for world in worlds]
    tracked = run(shown, detect_every=5)
    first, last = tracked[5], tracked[-1]
    assert ids(first) == ids(last) == [0, 1]
    small = min(first.tracks, key=lambda one: one.box[2] - one.box[0]).id
    assert min(last.tracks, key=lambda one: one.box[2] - one.box[0]).id == small
    assert max(one.id for frame in tracked for one in frame.tracks) == 1


def test_single_pictures_pass_on_no_face_and_no_id() -> None:
    worlds = [[(60, 100, 30), (200, 100, 30)], [(60, 100, 30)], [], [(61, 101, 30)]]
    frames = [disc_frame(discs, index) for index, discs in enumerate(worlds)]
    detector = DiscDetector()
    stills = list(read_stills(frames, detector, disc_engine()))
    assert [ids(one) for one in stills] == [[0, 1], [2], [], [3]]
    assert detector.calls == 4
    assert all(track.is_first for one in stills for track in one.tracks)
    alone = run([worlds[3]])[0].tracks[0].landmarks.points
    np.testing.assert_array_equal(stills[3].tracks[0].landmarks.points, alone)


def test_the_detector_sees_each_of_few_frames() -> None:
    assert options_for(25.0, detect_every=15).detect_every == 15
    slow = options_for(0.5, detect_every=15, max_faces=3)
    assert (slow.detect_every, slow.lost_s, slow.max_faces) == (1, 5.0, 3)


class LookingAt(DiscDetector):
    """Remembers in which frames it looked."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[int] = []

    def __call__(self, frame: Frame) -> list[FaceBox]:
        self.frames.append(frame.index)
        return super().__call__(frame)


def test_a_picture_that_rests_is_seldom_looked_at_and_a_face_that_comes_is_found_at_once() -> None:
    worlds = [[(60, 100, 25)]] * 200 + [[(60, 100, 25), (250, 120, 25)]] * 20
    detector = LookingAt()
    tracked = run(worlds, detector=detector)
    assert [index for index in detector.frames if index < 200] == [0, 15, 30, 90, 150]
    assert detector.frames[5] == 200
    assert ids(tracked[200]) == [0, 1]


def test_a_face_that_comes_soon_after_a_look_is_found_within_half_the_usual_pause() -> None:
    worlds = [[(60, 100, 25)]] * 151 + [[(60, 100, 25), (250, 120, 25)]] * 20
    tracked = run(worlds)
    assert [len(one.tracks) for one in tracked[151:]] == [1] * 6 + [2] * 14


def test_every_frame_is_looked_at_where_that_is_asked_for() -> None:
    detector = DiscDetector()
    run([[(60, 100, 25)]] * 50, detector=detector, detect_every=1)
    assert detector.calls == 50


class Guided(DiscDetector):
    """Can be given the faces that are followed, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[list[list[float]]] = []

    def find_beside(self, frame: Frame, known: Sequence[FloatArray]) -> list[FaceBox]:
        self.known.append([box.tolist() for box in known])
        return self(frame)


def test_a_detector_that_can_use_them_is_given_the_faces_of_the_frame() -> None:
    worlds = [[(60 + t, 100, 25)] for t in range(9)] + [[(60 + t, 100, 25), (250, 120, 30)] for t in range(9, 18)]
    detector = Guided()
    tracked = run(worlds, detector=detector, detect_every=8)
    assert detector.known[0] == []
    (box,) = detector.known[1]
    assert box == pytest.approx([35 + 8, 75, 85 + 8, 125], abs=1)
    assert ids(tracked[-1]) == [0, 1]
    assert detector.calls == len(detector.known) == 3
    assert len(detector.known[2]) == 1  # the newcomer is not known before it is found


class Unsure(DiscDetector):
    """Is sure of the face on the left only, and finds any other in some of its looks."""

    def __init__(self, shown: tuple[int, ...]) -> None:
        super().__init__()
        self._shown = shown

    def __call__(self, frame: Frame) -> list[FaceBox]:
        boxes = super().__call__(frame)
        sure, others = [box for box in boxes if box.xyxy[0] < 150], [box for box in boxes if box.xyxy[0] >= 150]
        return sure + [replace(box, score=0.6) for box in others if frame.index in self._shown]


@pytest.mark.parametrize(
    ("shown", "born"),
    [((7, 22), None), ((7, 8), 8), ((8,), None)],
    ids=["single looks", "two looks running", "a frame without a look"],
)
def test_a_doubtful_face_is_born_where_the_next_frame_shows_it_too(shown: tuple[int, ...], born: int | None) -> None:
    worlds = [[(60, 100, 25)]] + [[(60, 100, 25), (250, 120, 25)]] * 30
    tracked = run(worlds, detector=Unsure(shown))
    assert next((one.frame.index for one in tracked if len(one.tracks) > 1), None) == born


def test_a_doubtful_face_of_a_first_frame_is_believed() -> None:
    assert ids(run([[(250, 120, 25)]], detector=Unsure((0,)))[0]) == [0]

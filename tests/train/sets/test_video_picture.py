"""Frames of a video by number; the generator's grey tells which frame was given."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from startrack.tracker.types import ImageArray
from startrack.train.sets.sample import DatasetError
from startrack.train.sets.video_picture import VideoFrames, VideoPicture
from tests.conftest import MakeClip


def number_of(image: ImageArray) -> int:
    """The frame's index, from the grey that tests.conftest.numbered_picture gives it."""
    return round((float(image[30:, 5].mean()) - 40) / 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(order=st.lists(st.tuples(st.sampled_from(["a.mkv", "b.mkv"]), st.integers(0, 7)), max_size=6))
def test_frames_come_in_any_order(make_clip: MakeClip, tmp_path: Path, order: list[tuple[str, int]]) -> None:
    for name in ("a.mkv", "b.mkv"):
        if not (tmp_path / name).exists():
            make_clip(name, frames=8)
    frames = VideoFrames()
    assert [number_of(frames.read(tmp_path / name, index)) for name, index in order] == [index for _, index in order]
    frames.close()


def test_ascending_order_opens_a_video_once(make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    from startrack.tracker.video import source

    path, opened, read_video = make_clip("clip.mkv", frames=6).path, [], source.read_video
    monkeypatch.setattr(source, "read_video", lambda path: opened.append(path) or read_video(path))
    frames = VideoFrames()
    for index in (0, 1, 1, 4, 5):
        frames.read(path, index)
    assert len(opened) == 1
    frames.read(path, 2)
    assert len(opened) == 2
    frames.close()


def test_a_copy_in_another_process_opens_the_video_itself(make_clip: MakeClip) -> None:
    frames = VideoFrames()
    picture = VideoPicture(frames, make_clip("clip.mkv", frames=4).path, 3)
    assert number_of(picture.read()) == 3
    copy = pickle.loads(pickle.dumps(picture))
    assert number_of(copy.read()) == 3
    for each in (frames, copy.frames):
        each.close()


def test_no_such_frame_and_no_such_video(make_clip: MakeClip, tmp_path: Path) -> None:
    frames = VideoFrames()
    path = make_clip("clip.mkv", frames=4).path
    with pytest.raises(DatasetError, match=r"clip\.mkv: frame 5 is annotated, the video has 4"):
        frames.read(path, 4)
    assert number_of(frames.read(path, 0)) == 0
    with pytest.raises(DatasetError, match=r"none\.avi: no such file"):
        frames.read(tmp_path / "none.avi", 0)
    frames.close()

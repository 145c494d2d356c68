"""make-300vw writes exactly the layout of 300VW."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from startrack.stopping import Stopped
from startrack.tracker.video.source import read_video
from startrack.train.motion import made_300vw
from startrack.train.sets.ibug_300vw import read_annotations
from tests.commands.invoke import done, message, run, usage


def test_a_made_set_has_the_published_layout(made_300w: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the drawn faces are too small for a choice
    monkeypatch.setattr("startrack.train.motion.clips._is_fit", lambda sample: True)
    root = tmp_path / "made"
    words = ("make-300vw", root, "--data", made_300w, "--videos", 4, "--frames", 6)
    assert "114 203 410 124" in done(*words, "--motion", "walk").stdout
    assert sorted(path.name for path in (root / "203").iterdir()) == ["annot", "vid.avi"]
    assert [path.name for path in sorted((root / "203" / "annot").iterdir())] == [f"{n:06d}.pts" for n in range(1, 7)]
    video = read_annotations(root, "203")
    assert video.landmarks.shape == (6, 68, 2)
    with read_video(video.path) as stream:
        assert len(list(stream)) == 6
    assert (root / "203" / "vid.avi").read_bytes()[8:12] == b"AVI "
    assert "exists already" in message(run(*words), 6)
    assert "expected one of still, slow" in usage(run(*words, "--motion", "fly"))
    assert "65 videos; expected 1 to 64" in message(run("make-300vw", root, "--data", made_300w, "--videos", 65), 6)


def test_a_set_that_was_ended_goes_on(made_300w: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.train.motion.clips._is_fit", lambda sample: True)
    root, written, write_pts = tmp_path / "made", list[str](), made_300vw.write_pts
    words = ("make-300vw", root, "--data", made_300w, "--videos", 3, "--frames", 4)

    def ended(path: Path, points: object) -> None:
        written.append(path.parts[-3])
        if len(written) == 7:  # in the middle of the second video
            raise Stopped(signal.SIGTERM)
        write_pts(path, points)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(made_300vw, "write_pts", ended)
        assert message(run(*words), 143) == "startrack: terminated"
    assert sorted(path.name for path in root.iterdir()) == ["114", "made.json"]
    (root / ".203.abc123_x.partial" / "annot").mkdir(parents=True)  # as a killed run leaves it
    (root / ".203.abc123_x.partial" / "vid.avi").write_text("half")
    first = (root / "114" / "vid.avi").stat()
    assert "114 203 410" in done(*words).stdout
    assert sorted(path.name for path in root.iterdir()) == ["114", "203", "410", "made.json"]
    assert (root / "114" / "vid.avi").stat() == first
    assert len(list((root / "203" / "annot").iterdir())) == 4
    assert "exists already" in message(run(*words[:-1], 5), 6)

"""Rendered heads in motion: the truth follows the path, the frames are the same at every call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.video.source import read_video
from startrack.train.motion.expression import opening
from startrack.train.motion.rendered_clips import RENDERED_SCENARIOS, rendered_clip
from startrack.train.sets.ibug_300vw import read_annotations
from startrack.train.synthetic.head.assets import load_assets
from startrack.train.synthetic.studio import Studio, make_studio
from tests.commands.invoke import done, message, run, usage

pytestmark = [pytest.mark.data, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def studio(data_dir: Path) -> Studio:
    return make_studio(load_assets(data_dir / "synthetic_assets"))


def made(studio: Studio, name: str, seconds: float, fps: float = 10.0):  # type: ignore[no-untyped-def]
    lasting = replace(RENDERED_SCENARIOS[name], seconds=seconds)
    return rendered_clip(studio, lasting, seed=3, number=1, fps=fps, size=(160, 120), face_px=60.0)


def test_a_head_at_rest_fills_what_was_asked_for(studio: Studio) -> None:
    points = made(studio, "still", 0.2).landmarks[0]
    # a still head is turned and lies aside by a little
    assert np.ptp(points, axis=0).max() == pytest.approx(60, abs=4)
    assert np.abs(points.mean(0) - [79.5, 59.5]).max() < 0.3 * 60


def test_a_turn_shows_one_side_and_then_the_other(studio: Studio) -> None:
    clip = made(studio, "turn", 6.0)
    noses = clip.landmarks[:, 30, 0]
    cheeks = clip.landmarks[:, [0, 16], 0]
    aside = (noses - cheeks.mean(1)) / 60
    assert aside.max() > 0.25
    assert aside.min() < -0.25
    assert abs(aside[0]) < 0.1


def test_lids_and_lips_follow_their_amplitudes(studio: Studio) -> None:
    blink = made(studio, "blink", 2.0, fps=30.0)
    lids = opening(blink.landmarks, "blink", IBUG_68)
    shut = blink.amplitudes[:, 0] > 0.8
    assert lids[shut].max() < 0.35 * np.median(lids[blink.amplitudes[:, 0] == 0])
    mouth = made(studio, "mouth", 2.0, fps=30.0)
    lips = opening(mouth.landmarks, "mouth", IBUG_68)
    assert np.corrcoef(lips, mouth.amplitudes[:, 1])[0, 1] > 0.98


def test_frames_are_the_same_at_every_call_and_keep_the_exposure(studio: Studio) -> None:
    clip = made(studio, "turn", 0.3)
    first, again = list(clip.make_frames()), list(clip.make_frames())
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    corners = np.array([frame[:12, :12].mean() for frame in first])
    assert np.ptp(corners) < 2  # the background stays, but for the sensor's noise


def test_somebody_walks_by(studio: Studio) -> None:
    clip = made(studio, "crossing", 4.0, fps=2.0)
    frames = np.array(list(clip.make_frames()), np.float64)
    face = frames[:, 50:70, 70:90].mean((1, 2))
    assert np.linalg.norm(face - face[0], axis=1).max() > 15, "nobody came between face and camera"
    assert np.ptp(clip.landmarks.mean(1), axis=0).max() < 20, "the truth is the one face's"


def test_a_set_of_rendered_heads(data_dir: Path, tmp_path: Path) -> None:
    assets = data_dir / "synthetic_assets"
    words = ("make-300vw", tmp_path / "made", "--rendered", assets, "--videos", 1, "--frames", 3)
    assert "1 videos of 3 frames: 114" in done(*words, "--motion", "turn").stdout
    assert read_annotations(tmp_path / "made", "114").landmarks.shape == (3, 68, 2)
    with read_video(tmp_path / "made" / "114" / "vid.avi") as video:
        assert len(list(video)) == 3
    assert "1 videos of 3 frames" in done(*words, "--motion", "turn").stdout
    assert "exists already" in message(run(*words, "--motion", "turn", "--seed", 1), 6)
    assert "crossing" in usage(run(*words, "--motion", "fly"))
    assert "expected either --data or --rendered" in usage(run(*words, "--data", tmp_path))

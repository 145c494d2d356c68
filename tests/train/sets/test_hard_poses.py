from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.signals.head_model import HEAD_68
from startrack.train.sets import rendered
from startrack.train.sets.hard_poses import repeats, turn_from_camera_deg, with_hard_poses_repeated
from startrack.train.sets.sample import Sample
from tests.train.conftest import face_points


def turned(yaw_deg: float) -> Sample:
    """The mean head, seen from afar."""
    yaw = np.radians(yaw_deg)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    return Sample(Path(f"{yaw_deg}.png"), 100 + (HEAD_68 @ turn.T)[:, :2], "train")


@pytest.mark.parametrize(("yaw_deg", "times"), [(0.0, 1), (-20.0, 1), (28.0, 2), (-28.0, 2), (50.0, 3)])
def test_turned_heads_come_more_often(yaw_deg: float, times: int) -> None:
    sample = turned(yaw_deg)
    assert turn_from_camera_deg(sample.landmarks) == pytest.approx(abs(yaw_deg), abs=0.5)
    frontal = turned(0.0)
    assert with_hard_poses_repeated([frontal, sample]) == [frontal, *[sample] * times]


def test_what_has_no_known_pose_comes_once() -> None:
    unknown = face_points((50, 50), 30)
    unknown[3] = np.nan
    assert repeats(Sample(Path("a.png"), unknown, "train")) == 1
    assert repeats(Sample(Path("a.png"), unknown[:29], "train")) == 1


def test_rendered_faces_come_once_however_turned() -> None:
    assert repeats(replace(turned(50.0), subset=rendered.SUBSET)) == 1

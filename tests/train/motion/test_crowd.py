from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.crop import bounding_box
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from startrack.train.motion.crowd import SIZE, CrowdScene, IdentityCounts, count_identities, crossing, standing_crowd
from startrack.train.sets.sample import Sample
from tests.tracker.disc_world import SHAPE

FACE = SHAPE * 30


@pytest.fixture
def scene(tmp_path: Path) -> CrowdScene:
    samples = []
    for name, level in (("a", 80), ("b", 160), ("c", 240)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((120, 120, 3), level, np.uint8))
        samples.append(Sample(tmp_path / f"{name}.png", FACE + 60, "train"))
    return crossing(samples, 3, seconds=4.0)


def found(scene: CrowdScene, t: int, ids: dict[int, int], shift: float = 0.0) -> TrackedFrame:
    """A frame with tracks on some faces: face → id."""
    tracks = []
    for face, identity in ids.items():
        points = scene.landmarks[t, face] + shift
        marks = Landmarks(points, np.zeros((68, 2, 2)), np.ones(68), 1.0)
        tracks.append(Track(identity, marks, bounding_box(points), Roi(np.zeros(2), 1.0)))
    return TrackedFrame(Frame(scene.background, t, t / 30), tuple(tracks), StageLatency())


def test_faces_lie_where_the_truth_says(scene: CrowdScene) -> None:
    frames = list(scene.frames())
    assert len(frames) == len(scene.landmarks) == 120
    assert frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    front = scene.landmarks.shape[1] - 1
    for t in (0, 40, 80):
        x, y = np.rint(scene.landmarks[t, front].mean(axis=0)).astype(int)
        level = int(scene.patches[front][len(scene.patches[front]) // 2, len(scene.patches[front]) // 2, 0])
        assert abs(int(frames[t].image[y, x, 0]) - level) <= 1
    assert scene.visible[:, front].all()  # nobody is before the last face
    assert not scene.visible[:, 0].all()  # and it hides the others in passing


def test_same_seed_same_scene(scene: CrowdScene, tmp_path: Path) -> None:
    samples = [Sample(tmp_path / f"{name}.png", FACE + 60, "train") for name in "abc"]
    again = crossing(samples, 3, seconds=4.0)
    np.testing.assert_array_equal(again.landmarks, scene.landmarks)
    assert not np.array_equal(crossing(samples, 4, seconds=4.0).landmarks[:, :1], scene.landmarks[:, :1])


def test_counts_by_hand(scene: CrowdScene) -> None:
    """Four frames in which two faces are plainly seen."""
    part = replace(scene, landmarks=scene.landmarks[:1, :1].repeat(4, axis=0), visible=np.ones((4, 1, 68), bool))
    part = replace(part, landmarks=np.concatenate([part.landmarks, part.landmarks + 200], axis=1))
    part = replace(part, visible=np.ones((4, 2, 68), bool))
    tracked = [
        found(part, 0, {0: 5, 1: 6}),
        found(part, 1, {0: 5}),  # one is missed
        found(part, 2, {0: 6, 1: 5}, shift=3.0),  # both change ids, a little off
        found(part, 3, {0: 6, 1: 5}, shift=60.0),  # far off: two false positives, two misses
    ]
    assert count_identities(tracked, part) == IdentityCounts(visible=8, missed=3, switches=2, false_positives=2)
    hidden = replace(part, visible=np.zeros((4, 2, 68), bool))
    assert count_identities(tracked, hidden) == IdentityCounts(visible=0, missed=0, switches=0, false_positives=2)
    assert IdentityCounts(1, 2, 3, 4) + IdentityCounts(1, 1, 1, 1) == IdentityCounts(2, 3, 4, 5)


def test_a_gathering_hides_nobody(tmp_path: Path) -> None:
    for name, level in (("a", 80), ("b", 160)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((120, 120, 3), level, np.uint8))
    samples = [Sample(tmp_path / f"{name}.png", FACE + 60, "train") for name in ("a", "b", "a", "b")]
    scene = standing_crowd(samples, 0, rows=2, columns=2, seconds=2.0)
    frames = list(scene.frames())
    assert len(frames) == 60
    assert frames[0].image.shape == (720, 1280, 3)
    assert scene.landmarks.shape == (60, 4, 68, 2)
    assert scene.visible.all()
    assert (np.ptp(scene.corners, axis=0) > 20).all()

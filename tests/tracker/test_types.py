"""Copies of a frame's results with one thing changed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from startrack.tracker.types import Landmarks, Roi, Similarity, Track


def filled(kind: Any, **some: Any) -> Any:
    """Each other field is an object of its own."""
    return kind(**({field.name: object() for field in fields(kind)} | some))


def changed(before: Any, after: Any) -> set[str]:
    names = [field.name for field in fields(before)]
    return {name for name in names if getattr(before, name) is not getattr(after, name)}


def test_a_copy_changes_what_it_says_and_nothing_else() -> None:
    points, box, similarity = np.zeros((3, 2)), np.zeros(4), Similarity(1.0, 0.0)
    landmarks, track = filled(Landmarks), filled(Track, roi=Roi(np.zeros(2), 1.0))
    smoothed = landmarks.smoothed(points)
    assert changed(landmarks, smoothed) == {"points", "raw_points"}
    assert smoothed.points is points
    assert smoothed.raw_points is landmarks.points
    placed = landmarks.placed(similarity)
    assert changed(landmarks, placed) == {"similarity"}
    assert placed.similarity is similarity
    shown = track.with_landmarks(smoothed, box)
    assert changed(track, shown) == {"landmarks", "box"}
    assert (shown.landmarks, shown.box) == (smoothed, box)

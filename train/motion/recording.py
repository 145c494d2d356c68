"""A tracker's raw landmarks on a clip, recorded once; every smoother is then tried on the recording.

The crops follow the raw landmarks, not the smoothed ones, so a replay gives what tracking with the smoother would.
"""

# T frames, K landmarks

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.smooth.base import MakeLateSmoother
from startrack.tracker.types import FloatArray, Landmarks, TrackedFrame
from startrack.train.motion.head_path import Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One face, frame by frame, as the network gives it."""

    points: Float64Array
    """(T, K, 2) frame pixels; nan in frames without the face."""
    covariance: FloatArray
    """(T, K, 2, 2) px²."""
    score: FloatArray
    """(T, K)."""
    presence: Float64Array
    """(T,) 0 without the face."""
    side: Float64Array
    """(T,) side of the crop's square, frame pixels."""
    ids: FloatArray
    """(T,) the track's id, nan without the face."""
    times_s: Float64Array
    """(T,)."""

    @property
    def lost(self) -> int:
        """Frames without the face."""
        return int(np.isnan(self.ids).sum())


def record_track(tracked: Iterable[TrackedFrame], truth_TK2: Float64Array) -> Recording:
    """Follow a clip to its end, unsmoothed; of several tracks in a frame the one nearest to the truth is taken."""
    count, landmarks = truth_TK2.shape[:2]
    recording = Recording(
        points=np.full((count, landmarks, 2), np.nan),
        covariance=np.full((count, landmarks, 2, 2), np.nan),
        score=np.zeros((count, landmarks)),
        presence=np.zeros(count),
        side=np.full(count, np.nan),
        ids=np.full(count, np.nan),
        times_s=np.zeros(count),
    )
    for t, frame in enumerate(tracked):
        recording.times_s[t] = frame.frame.time_s
        tracks = [track for track in frame.tracks if _lies_on(track.landmarks.points, truth_TK2[t])]
        if not tracks:
            continue
        near = min(tracks, key=lambda track: float(np.abs(track.landmarks.points - truth_TK2[t]).mean()))
        recording.points[t], recording.covariance[t] = near.landmarks.points, near.landmarks.covariance
        recording.score[t], recording.presence[t] = near.landmarks.score, near.landmarks.presence
        recording.side[t], recording.ids[t] = near.roi.side, near.id
    return recording


def replay(recording: Recording, make_smoother: MakeLateSmoother) -> Float64Array:
    """(T, K, 2) the smoothed recording; a new one starts after every loss and change of id."""
    smooth = np.full_like(recording.points, np.nan)
    seen = np.flatnonzero(~np.isnan(recording.ids))
    ids = recording.ids[seen]
    breaks = np.flatnonzero((np.diff(seen) > 1) | (np.diff(ids) != 0)) + 1
    for stretch in np.split(seen, breaks):
        smoother, smoothed = make_smoother(IBUG_68), []
        for t in stretch.tolist():
            landmarks = Landmarks(
                recording.points[t], recording.covariance[t], recording.score[t], float(recording.presence[t])
            )
            smoothed += smoother.push(landmarks, float(recording.times_s[t]), float(recording.side[t]))
        smoothed += smoother.flush()
        smooth[stretch] = [each.points for each in smoothed] if smoothed else smooth[stretch]
    return smooth


def _lies_on(points_K2: FloatArray, truth_K2: Float64Array) -> bool:
    """Whether a track is on the face at all: mean distance below a quarter of the face's size."""
    size = float((truth_K2.max(axis=0) - truth_K2.min(axis=0)).max())
    return float(np.linalg.norm(points_K2 - truth_K2, axis=-1).mean()) < 0.25 * size

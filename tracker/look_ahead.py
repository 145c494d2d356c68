"""Frames held back until their landmarks are smoothed with those that follow: a stage for recordings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from startrack.tracker.crop import bounding_box
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.smooth import late_smoother_of
from startrack.tracker.smooth.base import LateSmoother
from startrack.tracker.types import Landmarks, StageLatency, Track, TrackedFrame

USUAL_FRAMES = 5
"""Of look-ahead for recordings of up to FAST_FPS frames a second, twice as many for faster ones: more gain little."""
FAST_FPS = 40.0
SLOW_FPS = 12.0
"""Below this a frame's neighbours are too far away in time to say where its landmarks are."""


def usual_look_ahead(fps: float | None, *, is_live: bool) -> int:
    """Frames of look-ahead where none are asked for: 0 for a live source, which must not wait, and for few frames a
    second."""
    if is_live or (fps is not None and fps < SLOW_FPS):
        return 0
    return 2 * USUAL_FRAMES if fps is not None and fps > FAST_FPS else USUAL_FRAMES


@dataclass(slots=True, eq=False)
class _Waiting:
    """A frame, and its smoothed faces."""

    tracked: TrackedFrame
    smoothed: dict[int, Landmarks]
    """By id."""
    spent_ms: float = 0.0
    """Of smoothing, when it came in."""

    @property
    def is_done(self) -> bool:
        return len(self.smoothed) == len(self.tracked.tracks)


@dataclass(slots=True, eq=False)
class _Face:
    """The smoother of one face, and the frames that wait for it."""

    smoother: LateSmoother
    frames: deque[_Waiting]


class LookAhead:
    """Holds tracked frames back: `push` gives those that are finished, in order, `flush` all that are left.

    The frames come unsmoothed (NoSmoothing); each face is smoothed over the stretch in which it is followed without a
    break, and never across a loss, a cut or a change of id. At most `frames` frames wait.
    """

    def __init__(self, scheme: LandmarkScheme, frames: int, *, strength: float = 1.0) -> None:
        """frames: of look-ahead; 0 smooths each frame at once. strength: factor of the noise that is smoothed away.

        Raises ValueError for values out of their range.
        """
        self._make: Callable[[LandmarkScheme], LateSmoother] = late_smoother_of("kalman", frames, strength)
        self._scheme = scheme
        self._waiting: deque[_Waiting] = deque()
        self._faces: dict[int, _Face] = {}

    def push(self, tracked: TrackedFrame) -> list[TrackedFrame]:
        """Take up the next frame; gives the frames that are finished, oldest first."""
        started = time.perf_counter()
        waiting = _Waiting(tracked, {})
        self._waiting.append(waiting)
        followed = {track.id for track in tracked.tracks if not track.is_first}
        for gone in [track_id for track_id in self._faces if track_id not in followed]:
            self._end(gone)
        for track in tracked.tracks:
            self._see(track, waiting)
        waiting.spent_ms = 1000 * (time.perf_counter() - started)
        return self._finished()

    def flush(self) -> list[TrackedFrame]:
        """All frames that wait, oldest first; later frames start again."""
        for track_id in list(self._faces):
            self._end(track_id)
        return self._finished()

    def _see(self, track: Track, waiting: _Waiting) -> None:
        face = self._faces.get(track.id)
        if face is None:
            face = self._faces[track.id] = _Face(self._make(self._scheme), deque())
        face.frames.append(waiting)
        _give(track.id, face, face.smoother.push(track.landmarks, waiting.tracked.frame.time_s, track.roi.side))

    def _end(self, track_id: int) -> None:
        face = self._faces.pop(track_id)
        _give(track_id, face, face.smoother.flush())

    def _finished(self) -> list[TrackedFrame]:
        done: list[TrackedFrame] = []
        while self._waiting and self._waiting[0].is_done:
            first = self._waiting.popleft()
            tracks = tuple(_smoothed(track, first.smoothed[track.id]) for track in first.tracked.tracks)
            frame, latency = first.tracked.frame, first.tracked.latency
            latency = StageLatency(
                latency.detect_ms, latency.crop_ms, latency.engine_ms, latency.smooth_ms + first.spent_ms
            )
            done.append(TrackedFrame(frame, tracks, latency))
        return done


def look_ahead(stream: Iterable[TrackedFrame], stage: LookAhead) -> Generator[TrackedFrame]:
    """Smooth a stream of unsmoothed frames; every frame comes out once, in order.

    Frames that wait come out, too, when the stream fails or is interrupted; the error then passes on.
    """
    try:
        for tracked in stream:
            yield from stage.push(tracked)
    except (Exception, KeyboardInterrupt):
        yield from stage.flush()
        raise
    yield from stage.flush()


def _give(track_id: int, face: _Face, smoothed: list[Landmarks]) -> None:
    for landmarks in smoothed:
        face.frames.popleft().smoothed[track_id] = landmarks


def _smoothed(track: Track, landmarks: Landmarks) -> Track:
    return track.with_landmarks(landmarks, bounding_box(landmarks.points))

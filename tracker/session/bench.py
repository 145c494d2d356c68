"""Milliseconds of each stage on a clip, in wall and in CPU time."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from startrack.engines.base import Engine
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.look_ahead import LookAhead
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.smooth import smoother_of
from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError, VideoStream

WARM_UP = 30
"""Frames before the measurement: first runs allocate and fill caches."""
DECODED_AHEAD = 15


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Means per frame in milliseconds; the tracker's own work, without decoding, drawing and sinks."""

    model: str
    smooth: str
    look_ahead: int
    """Frames of it; 0: the causal smoother."""
    frames: int
    faces_per_frame: float
    cpu_ms: float
    """CPU time of the whole process, all threads."""
    wall_ms_p50: float
    wall_ms_p90: float
    wall_ms_p99: float
    detect_ms: float
    """Mean over all frames, although the detector runs in few of them."""
    crop_ms: float
    engine_ms: float
    smooth_ms: float
    peak_memory_mb: float
    """Of the process so far, decoding included (15 frames ahead)."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Measurements of smoothing."""

    name: str = "kalman"
    """A key of tracker.smooth.SMOOTHERS."""
    look_ahead: int = 0
    """Frames of it; only tracker.smooth.CAN_LOOK_AHEAD takes any."""


def measure(
    video: VideoStream,
    detect: FaceDetector,
    engine: Engine,
    *,
    smoothing: Smoothing,
    options: TrackerOptions,
    count: int,
) -> BenchReport:
    """Track up to `count` frames after a warm-up. Raises SourceError if the video ends within it, ValueError for a
    smoothing that does not exist."""
    cpu_ms, wall_ms, stages, faces = [], [], [], []
    handed_over = _Marks()
    frames = _in_batches(islice(video, WARM_UP + count), handed_over)
    make_smoother = smoother_of("none" if smoothing.look_ahead else smoothing.name)
    stage = LookAhead(scheme_of(engine.spec), smoothing.look_ahead) if smoothing.look_ahead else None
    for tracked in track_frames(frames, detect, engine, make_smoother=make_smoother, options=options):
        late = stage.push(tracked) if stage else [tracked]
        cpu_ms.append(1e3 * (time.process_time() - handed_over.cpu_s))
        wall_ms.append(1e3 * (time.perf_counter() - handed_over.wall_s))
        for latency in (each.latency for each in late):
            stages.append((latency.detect_ms, latency.crop_ms, latency.engine_ms, latency.smooth_ms))
        faces.append(len(tracked.tracks))
    measured = len(faces) - WARM_UP
    if measured < 1:
        raise SourceError(f"{video.info.name}: {len(faces)} frames; expected more than {WARM_UP}, to warm up")
    means = np.mean(stages[WARM_UP:], axis=0)
    percentiles = np.percentile(wall_ms[WARM_UP:], [50, 90, 99])
    figures = [np.mean(faces[WARM_UP:]), np.mean(cpu_ms[WARM_UP:]), *percentiles, *means, peak_memory_mb()]
    how = engine.spec.name, smoothing.name, smoothing.look_ahead
    return BenchReport(*how, measured, *(round(float(value), 3) for value in figures))


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB (10⁶ bytes).

    On Linux from /proc: getrusage there counts the parent's size at the fork too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(kilobytes) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@dataclass(slots=True)
class _Marks:
    """When the newest frame was handed to the tracker."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


def _in_batches(frames: Iterator[Frame], handed_over: _Marks) -> Iterator[Frame]:
    """Decode a few frames, then hand them over one by one: the decoder's threads would count in the CPU time, and a
    whole clip in the peak memory."""
    while batch := deque(islice(frames, DECODED_AHEAD)):
        while batch:
            frame = batch.popleft()
            handed_over.cpu_s, handed_over.wall_s = time.process_time(), time.perf_counter()
            yield frame

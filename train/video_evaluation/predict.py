"""One annotated video through a model, frame by frame: by the true box of each frame, or by the streaming tracker."""

# T annotated frames, K landmarks

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from startrack.engines.base import Engine, EngineError
from startrack.tracker.associate import iou
from startrack.tracker.crop import bounding_box, roi_from_points
from startrack.tracker.cut import cut_for
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.latency import Stopwatch
from startrack.tracker.look_ahead import LookAhead, look_ahead, usual_look_ahead
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.read_rois import read_rois
from startrack.tracker.schemes import IBUG_68, LandmarkScheme
from startrack.tracker.shape.evidence import Evidence
from startrack.tracker.smooth import CAN_LOOK_AHEAD, smoother_of
from startrack.tracker.types import FloatArray, Frame, StageLatency, TrackedFrame
from startrack.tracker.video.base import SourceError
from startrack.train.evaluation.flip_test import run_with_flip
from startrack.train.metrics.nme import Float64Array, inter_ocular
from startrack.train.sets.ibug_300vw import AnnotatedVideo
from startrack.train.video_evaluation.measures import frame_errors, video_stability
from startrack.train.video_evaluation.results import CausalFigures, Seconds, VideoResult
from startrack.train.video_evaluation.worst import WorstFrames

FHR_SCALE = 1.3
"""Side of FHR's crop over the larger side of the true landmarks' box (test_300VW.m)."""
Truth: TypeAlias = Callable[[int], Float64Array | None]
"""Frame's index → (68, 2) true landmarks, None without annotation."""


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """One frame of the video, and the reading of the annotated face in it."""

    frame: Frame
    points: FloatArray | None
    """(K, 2) frame pixels, None without the face."""
    latency: StageLatency
    causal: FloatArray | None = None
    """The same without look-ahead, where there is some."""


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How a video is evaluated; part of every result, since figures of unequal settings do not compare."""

    mode: Literal["oracle", "tracker"] = "oracle"
    """oracle: a crop by the true box of every frame; tracker: the streaming tracker with a detector."""
    crop: Literal["ours", "fhr"] = "ours"
    """Of oracle: the model's own crop_scale, or FHR_SCALE times the larger side of the true landmarks' box."""
    flip: bool = False
    """Of oracle: the mean over the crop and its mirror image."""
    smooth: str = "kalman"
    """Of tracker: a key of tracker.smooth.SMOOTHERS."""
    look_ahead: int | None = None
    """Of tracker: frames of it; None: as many as are usual for a recording of its rate. The figures of the causal
    smoother are kept with those with look-ahead."""
    detect_every: int = 15
    """Of tracker: frames between two looks for further faces."""
    licence: Literal["research", "free"] = "research"
    """Of tracker: which faces the shape of a face is compared to (tracker/shape/evidence.py)."""
    pictures: int = 4
    """Worst frames kept as pictures."""


def evaluate_video(
    video: AnnotatedVideo, engine: Engine, detect: FaceDetector | None, settings: VideoSettings
) -> VideoResult:
    """Decode a video once and measure the model on its annotated face.

    detect: for the tracker. A frame without the face, or one that the video does not have, is NaN; the points are let
    go when the figures are known. Raises SourceError if the video cannot be opened, EngineError for a model without
    iBUG's 68 landmarks or a value that is not finite.
    """
    from startrack.tracker.video.source import read_video

    scheme = scheme_of(engine.spec)
    if not scheme.ibug_68:
        raise EngineError(f"{engine.spec.name}: landmarks {scheme.name}; 300VW needs a model of iBUG's 68")
    began = time.perf_counter()
    points, causal = (np.full(video.landmarks.shape, np.nan) for _ in range(2))
    rows = {int(number) - 1: row for row, number in enumerate(video.numbers)}
    worst = WorstFrames(settings.pictures)
    spent, decoded, note = np.zeros(4), 0, ""
    with read_video(video.path) as stream:
        frames = _Timed(stream)
        ahead = _frames_ahead(settings, stream.info.fps)
        try:
            for located in _locate(frames, video, rows, engine, detect, settings, ahead):
                frame, found, latency = located.frame, located.points, located.latency
                decoded = frame.index + 1
                spent += [latency.detect_ms, latency.crop_ms, latency.engine_ms, latency.smooth_ms]
                row = rows.get(frame.index)
                if row is None:
                    continue
                truth = video.landmarks[row]
                if found is not None:
                    found = found[list(scheme.ibug_68)]
                    points[row] = found
                if located.causal is not None:
                    causal[row] = located.causal
                if video.scored[row]:
                    worst.offer(frame, truth, found, _nme(found, truth))
        except SourceError as error:
            note = str(error)
    errors = frame_errors(points, video.landmarks)
    scored = video.scored
    stable = video_stability(points[scored], video.landmarks[scored], video.numbers[scored])
    pictures = worst.pictures()
    detect_s, crop_s, engine_s, smooth_s = (spent / 1000).tolist()
    total_s = time.perf_counter() - began
    seconds = Seconds(frames.decode_s, detect_s, crop_s, engine_s, smooth_s, total_s)
    live = _causal_figures(causal, video) if ahead else None
    return VideoResult(video.id, video.numbers, scored, errors, stable, seconds, decoded, pictures, note, live)


def _frames_ahead(settings: VideoSettings, fps: float | None) -> int:
    if settings.mode == "oracle" or settings.smooth != CAN_LOOK_AHEAD:
        return 0
    return usual_look_ahead(fps, is_live=False) if settings.look_ahead is None else settings.look_ahead


def _causal_figures(points: Float64Array, video: AnnotatedVideo) -> CausalFigures:
    """The same video by the smoother without look-ahead."""
    scored = video.scored
    errors = frame_errors(points, video.landmarks)[68, "inter_ocular"][scored]
    seen = errors[np.isfinite(errors)]
    stable = video_stability(points[scored], video.landmarks[scored], video.numbers[scored])
    return CausalFigures(100 * float(seen.mean()) if len(seen) else float("nan"), stable)


class _Timed:
    """Frames of a stream, with the time that their decoding took."""

    def __init__(self, stream: Iterator[Frame]) -> None:
        self._stream = stream
        self.decode_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        while True:
            started = time.perf_counter()
            frame = next(self._stream, None)
            self.decode_s += time.perf_counter() - started
            if frame is None:
                return
            yield frame


def _locate(
    frames: _Timed,
    video: AnnotatedVideo,
    rows: dict[int, int],
    engine: Engine,
    detect: FaceDetector | None,
    settings: VideoSettings,
    ahead: int,
) -> Iterator[Located]:
    def truth(index: int) -> Float64Array | None:
        return np.asarray(video.landmarks[rows[index]], np.float64) if index in rows else None

    if settings.mode == "oracle":
        return _oracle(frames, truth, engine, settings)
    assert detect is not None
    options = TrackerOptions(detect_every=settings.detect_every, evidence=Evidence(shapes=settings.licence))
    smoother = smoother_of("none" if ahead else settings.smooth)
    tracked = track_frames(frames, detect, engine, make_smoother=smoother, options=options)
    if ahead:
        return _with_look_ahead(tracked, truth, scheme_of(engine.spec), ahead)
    return (Located(each.frame, on_face(each, truth(each.frame.index)), each.latency) for each in tracked)


def _with_look_ahead(
    tracked: Iterable[TrackedFrame], truth: Truth, scheme: LandmarkScheme, ahead: int
) -> Iterator[Located]:
    """Each frame smoothed with look-ahead, and by the causal smoother."""
    causal: deque[FloatArray | None] = deque()
    at_once = LookAhead(scheme, 0)

    def remembered() -> Iterator[TrackedFrame]:
        for each in tracked:
            (live,) = at_once.push(each)
            causal.append(on_face(live, truth(each.frame.index)))
            yield each

    for each in look_ahead(remembered(), LookAhead(scheme, ahead)):
        points = on_face(each, truth(each.frame.index))
        yield Located(each.frame, points, each.latency, causal.popleft())


def _oracle(
    frames: _Timed, truth: Callable[[int], Float64Array | None], engine: Engine, settings: VideoSettings
) -> Iterator[Located]:
    """Landmarks read in the crop of each frame's true box; frames without annotation are passed over."""
    scale = FHR_SCALE if settings.crop == "fhr" else engine.spec.crop_scale
    for frame in frames:
        known = truth(frame.index)
        watch = Stopwatch()
        if known is None:
            yield Located(frame, None, watch.read())
        elif settings.flip:
            flipped = _read_with_flip(frame, known, scale, engine, watch)
            yield Located(frame, flipped, watch.read())
        else:
            landmarks = read_rois(frame, [roi_from_points(known, scale)], engine, watch)[0]
            yield Located(frame, landmarks.points, watch.read())


def _read_with_flip(frame: Frame, truth: Float64Array, scale: float, engine: Engine, watch: Stopwatch) -> Float64Array:
    """(K, 2) frame pixels. Raises EngineError for a value that is not finite, as read_rois does."""
    started = time.perf_counter()
    cut = cut_for(engine.spec, frame.image, [roi_from_points(truth, scale)])
    watch.add("crop_ms", started)
    started = time.perf_counter()
    batch = run_with_flip(engine, cut.crops, scheme_of(engine.spec))
    watch.add("engine_ms", started)
    if not np.isfinite(batch.points).all():
        raise EngineError(f"{engine.spec.name}: frame {frame.index}: landmarks that are not finite numbers")
    points: Float64Array = cut.points_back(batch.points)[0]
    return points


def on_face(tracked: TrackedFrame, truth_K2: Float64Array | None) -> FloatArray | None:
    """The landmarks of the track whose box overlaps the true landmarks' box most; None if none does."""
    if truth_K2 is None or not tracked.tracks:
        return None
    boxes = np.array([one.box for one in tracked.tracks], np.float64)
    overlap = iou(boxes, bounding_box(truth_K2)[None])[:, 0]
    best = int(overlap.argmax())
    return tracked.tracks[best].landmarks.points if overlap[best] > 0 else None


def _nme(points_K2: FloatArray | None, truth_K2: FloatArray) -> float:
    if points_K2 is None:
        return float("nan")
    return float(np.linalg.norm(points_K2 - truth_K2, axis=-1).mean() / inter_ocular(truth_K2[None], IBUG_68)[0])

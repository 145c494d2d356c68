"""Our tracker on one clip in one process: time per frame with its stages, or points and peak memory (--stream).

The twin of peer_facemesh.py, started by the comparisons in a fresh process for each run. Writes OUT.json, and with
--stream OUT.npz: points (T, 68, 2) of the first face in frame pixels, nan where there is none.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.peer_facemesh import peak_memory_mb
from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.fixed_detector import FixedDetector, parse_box
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.session.bench import WARM_UP, Smoothing, measure
from startrack.tracker.smooth import SMOOTHERS
from startrack.tracker.types import TrackedFrame
from startrack.tracker.video.base import VideoInfo, VideoStream
from startrack.tracker.video.source import read_video


def open_detector(box: str | None, info: VideoInfo) -> FaceDetector:
    """The face is where `box` says; without one the shipped detector finds it."""
    if box is not None:
        return FixedDetector(parse_box(box, info.width, info.height))
    return ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))


def first_face(tracked: Iterable[TrackedFrame]) -> NDArray[np.float64]:
    """(T, 68, 2) frame pixels of the oldest face of each frame."""
    rows = [frame.tracks[0].landmarks.points if frame.tracks else np.full((68, 2), np.nan) for frame in tracked]
    return np.array(rows, np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--box", help="X,Y,W,H of the face in the first frame, in place of the detector")
    parser.add_argument("--smooth", choices=SMOOTHERS, default="kalman")
    parser.add_argument("--look-ahead", type=int, default=0, help="frames of it, for recordings; only without --stream")
    parser.add_argument("--max-faces", type=int, default=8)
    parser.add_argument("--frames", type=int, default=300, help="frames to time, after 30 to warm up")
    parser.add_argument("--stream", action="store_true", help="track all of the clip as it is decoded: points, memory")
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--core", type=int, help="stay on this core")
    args = parser.parse_args()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    cv2.setNumThreads(1)
    options = TrackerOptions(max_faces=args.max_faces)
    report: dict[str, Any]
    with ExitStack() as stack:
        engine = stack.enter_context(load_engine(args.weights or zoo_path(DEFAULT_LANDMARKS), "cpu", threads=1))
        video = stack.enter_context(read_video(args.clip))
        detect = stack.enter_context(open_detector(args.box, video.info))
        if args.stream:
            points = first_face(
                track_frames(video, detect, engine, make_smoother=SMOOTHERS[args.smooth], options=options)
            )
            np.savez(args.out.with_suffix(".npz"), points=points)
            missed = int(np.isnan(points[:, 0, 0]).sum())
            report = {"frames": len(points), "missed": missed, "peak_memory_mb": peak_memory_mb()}
        else:
            # all decoded beforehand, as for FaceMesh
            decoded = list(islice(video, WARM_UP + args.frames))
            ready = VideoStream(video.info, (frame for frame in decoded))
            smoothing = Smoothing(args.smooth, args.look_ahead)
            timed = measure(ready, detect, engine, smoothing=smoothing, options=options, count=args.frames)
            report = json.loads(timed.to_json())
            del report["peak_memory_mb"]  # that of the decoded clip
    args.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()

"""Blendshapes of faces that hold still, and of made blinks: how quiet, how deep, how prompt.

    python -m benchmarks.motion.blendshapes data/300w --clips clips/*.mp4

Of a clip's face: the largest value of each shape and its RMS second difference outside blinks, after --neutral seconds
in which it is neutral. Of the made scenario `blink` (train/motion/clips.py): depth of eyeBlink at its peak over the
share of the opening that the lids truly lose, and how many frames later it reaches half of its own peak, with the
causal smoother and with five frames of look-ahead.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from startrack.api import track
from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.metrics.quietness import Float64Array, mean_blink, near_blinks, onset_frames, restlessness
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals import SignalStage, blendshape_names
from startrack.tracker.signals.expression import openings_of
from startrack.tracker.smooth import late_smoother_of
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from startrack.train.motion.benchmark import Filmed, film, follow, still_faces
from startrack.train.motion.clips import SCENARIOS, choose_faces
from startrack.train.motion.recording import Recording
from startrack.train.sets import ibug_300w

LIDS = [blendshape_names().index(name) for name in ("eyeBlinkRight", "eyeBlinkLeft")]
LENGTH = 10
"""Frames of a blink, from two before it begins."""


def clip_values(path: Path, neutral_s: float | None, lookahead: int) -> tuple[Float64Array, Float64Array]:
    """(T,) seconds and (T, S) blendshapes of the clip's first face."""
    times_s, rows = [], []
    for result in track(path, max_faces=1, neutral_s=neutral_s, lookahead=lookahead):
        for each in result.tracks:
            assert each.signals is not None
            times_s.append(result.frame.time_s)
            rows.append(list(each.signals.blendshapes.values()))
    return np.array(times_s), np.array(rows)


def quiet(values_TS: Float64Array) -> dict[str, dict[str, float]]:
    """Shape → its largest value and RMS second difference outside blinks."""
    counted = ~near_blinks(values_TS[:, LIDS].max(axis=1))
    restless = restlessness(values_TS, counted)
    most = values_TS[counted].max(axis=0, initial=0.0)
    return {
        name: {"most": float(high), "rms_second_difference": float(rough)}
        for name, high, rough in zip(blendshape_names(), most, restless, strict=True)
    }


def smoothed(recording: Recording, frames_ahead: int) -> Iterator[Landmarks]:
    smoother = late_smoother_of("kalman", frames_ahead)(IBUG_68)
    for points, covariance, score, time_s, side in zip(
        recording.points, recording.covariance, recording.score, recording.times_s, recording.side, strict=True
    ):
        yield from smoother.push(Landmarks(points, covariance, score, 1.0), float(time_s), float(side))
    yield from smoother.flush()


def blink_figures(filmed: Filmed, recording: Recording, frames_ahead: int) -> dict[str, float]:
    """Mean over both eyes of a clip in which the face is never lost."""
    stage, values = SignalStage(IBUG_68), []
    image = np.zeros((filmed.clip.size[1], filmed.clip.size[0], 3), np.uint8)
    for index, marks in enumerate(smoothed(recording, frames_ahead)):
        one = Track(0, marks, np.zeros(4), Roi(np.zeros(2), 1.0), is_first=index == 0)
        frame = Frame(image, index, float(recording.times_s[index]))
        [found] = stage(TrackedFrame(frame, (one,), StageLatency())).tracks
        assert found.signals is not None
        values.append([found.signals.blendshapes[name] for name in ("eyeBlinkRight", "eyeBlinkLeft")])
    amplitude = filmed.clip.amplitudes[:, 0]
    begins = np.flatnonzero((amplitude[1:] > 0) & (amplitude[:-1] == 0)) - 1
    opened = np.array([openings_of(points) for points in filmed.clip.landmarks])
    true = 1 - opened / np.median(opened[:30], axis=0)
    seen = [mean_blink(row, begins, LENGTH) for row in np.array(values).T]
    truth = [mean_blink(row, begins, LENGTH) for row in true.T]
    depth = [float(mine.max() / real.max()) for mine, real in zip(seen, truth, strict=True)]
    late = [onset_frames(mine) - onset_frames(real) for mine, real in zip(seen, truth, strict=True)]
    return {"depth": float(np.mean(depth)), "onset_frames": float(np.nanmean(late)) if np.isfinite(late).any() else -1}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="clips whose face is measured")
    parser.add_argument("--neutral", type=float, default=None, help="first seconds that are neutral")
    parser.add_argument("--faces", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "blendshapes.json")
    args = parser.parse_args()
    clips = {
        f"{path.name}, {ahead} frames ahead": quiet(clip_values(path, args.neutral, ahead)[1])
        for path in args.clips
        for ahead in (0, 5)
    }
    for name, shapes in clips.items():
        print(name)
        for shape, found in shapes.items():
            print(f"  {shape:18} most {found['most']:.2f}  second difference {found['rms_second_difference']:.3f}")
    blinks: dict[str, dict[str, float]] = {}
    samples = choose_faces(ibug_300w.load(args.root, "validation"), args.faces)
    with (
        tempfile.TemporaryDirectory(prefix="startrack-blinks-") as folder,
        load_engine(zoo_path(DEFAULT_LANDMARKS), "cpu", threads=1) as engine,
        ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))) as detect,
    ):
        for filmed in film(still_faces(samples), [SCENARIOS["blink"]], Path(folder)):
            recording = follow(filmed, detect, engine)
            for ahead in (0, 5):
                name = f"{filmed.clip.name}, {ahead} frames ahead"
                blinks[name] = blink_figures(filmed, recording, ahead)
                print(f"{name}: depth {blinks[name]['depth']:.2f}, {blinks[name]['onset_frames']:.2f} frames late")
    write_result(args.out, {"neutral_s": args.neutral, "clips": clips, "blinks": blinks})


if __name__ == "__main__":
    main()

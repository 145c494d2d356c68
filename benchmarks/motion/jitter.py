"""Jitter on near-still real clips and lag on the demo clip: our smoothers against MediaPipe FaceMesh.

Jitter is tracker.metrics.stability.second_difference_jitter (RMS length of p[t-1] - 2 p[t] + p[t+1]) in per cent of
the tracker's own median inter-ocular distance, over all landmarks and over those that speech and mimicry hardly move.

    STARTRACK_DATA=data python -m benchmarks.motion.jitter --facemesh-python facemesh/bin/python

The definition is the one of the figures that were published for FaceMesh on clips 08 and 40 before this script was
written: .70 and .98 are its .696 and .978 (not refined, video mode); per axis it would be .49 and .69.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.processes import Run, run_facemesh, run_ours
from benchmarks.shared.record import RESULTS, write_result
from startrack.tracker.metrics.stability import second_difference_jitter
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.session.demo import make_demo_clip, motion_error
from startrack.tracker.smooth import SMOOTHERS

CLIPS = ("08_single_face.mp4", "40_grid_speaker.mpg")


def follow(clip: Path, args: argparse.Namespace) -> dict[str, Run]:
    """The landmarks of one face by every contestant."""
    weights = ["--weights", str(args.weights)] if args.weights else []
    ours = {
        f"startrack, {name}": run_ours(clip, "--stream", "--max-faces", "1", "--smooth", name, *weights)
        for name in SMOOTHERS
    }
    return {
        **ours,
        "FaceMesh": run_facemesh(args.facemesh_python, clip, "--stream"),
        "FaceMesh refined": run_facemesh(args.facemesh_python, clip, "--stream", "--refine"),
    }


def jitter(run: Run) -> dict[str, Any]:
    """Of all and of the steady landmarks, in % of the inter-ocular distance; and the same per axis."""
    points = _points(run)
    first, second = IBUG_68.inter_ocular
    unit = float(np.nanmedian(np.linalg.norm(points[:, first] - points[:, second], axis=-1)))
    everywhere = second_difference_jitter(points, unit)
    return {
        "all_percent": everywhere,
        "steady_percent": second_difference_jitter(points[:, list(IBUG_68.steady)], unit),
        "all_percent_per_axis": everywhere / np.sqrt(2),
        "inter_ocular_px": unit,
        "missed": run.report["missed"],
    }


def _points(run: Run) -> NDArray[np.float64]:
    assert run.points is not None
    return run.points


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    data = os.environ.get("STARTRACK_DATA")
    clips = [Path(data) / "clips" / name for name in CLIPS] if data else []
    parser.add_argument("clips", type=Path, nargs="*", default=clips, help="default: 08 and 40 of STARTRACK_DATA")
    parser.add_argument("--facemesh-python", type=Path, required=True, help="Python with mediapipe 0.10.21")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the demo clip for the lag")
    parser.add_argument("--weights", type=Path, default=None, help="landmark model; by default the shipped one")
    parser.add_argument("--out", type=Path, default=RESULTS / "jitter.json")
    args = parser.parse_args()
    if not args.clips:
        parser.error("no clips: name some, or the data folder in STARTRACK_DATA")
    with tempfile.TemporaryDirectory(prefix="startrack-clip-") as folder:
        demo = Path(folder) / "demo.mp4"
        motion = make_demo_clip(demo, seconds=args.seconds)
        moving = {name: asdict(motion_error(_points(run), motion)) for name, run in follow(demo, args).items()}
    still = {clip.name: {name: jitter(run) for name, run in follow(clip, args).items()} for clip in args.clips}
    for clip, recording in still.items():
        print(f"\n{clip:24} all %  steady %")
        for name, figures in recording.items():
            print(f"{name:24} {figures['all_percent']:5.2f}  {figures['steady_percent']:8.2f}")
    print(f"\n{'demo clip':24} error %  lag in frames")
    for name, error in moving.items():
        print(f"{name:24} {error['mean_percent']:7.2f}  {error['lag_frames']:13.2f}")
    write_result(args.out, {"jitter": still, "motion_error": moving}, model=args.weights)


if __name__ == "__main__":
    main()

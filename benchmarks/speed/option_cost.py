"""Milliseconds of a frame with and without eyes, or look-ahead: both in one run, on the same frames in turn.

    python -m benchmarks.speed.option_cost eyes CLIP
    python -m benchmarks.speed.option_cost lookahead CLIP

Decoding is not counted; the clip is scaled to 1280 × 720, and one face is followed. p50 over the frames after the first
ten of all rounds, of the thread's processor time, which other processes disturb less than the clock.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from startrack import Tracker, open_source
from startrack.tracker.look_ahead import USUAL_FRAMES

SIZE = (1280, 720)
FIRST = 10
"""Frames that are not counted."""
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "eyes": ({"eyes": False}, {"eyes": True}),
    "lookahead": ({"signals": False, "lookahead": 0}, {"signals": False, "lookahead": USUAL_FRAMES}),
}
"""What a Tracker is made with, without and with."""


def times_ms(args: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Of each frame, without and with the option."""
    spent: tuple[list[float], list[float]] = ([], [])
    plain, more = OPTIONS[args.option]
    with (
        open_source(str(args.clip)) as video,
        Tracker(args.model, max_faces=1, **plain) as without,
        Tracker(args.model, max_faces=1, **more) as having,
    ):
        for index, frame in zip(range(args.frames), video, strict=False):
            picture = np.asarray(cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
            # whichever comes second finds the picture in the cache
            for which in ((0, 1), (1, 0))[index % 2]:
                started = time.thread_time()
                (without, having)[which].update(picture, frame.time_s)
                spent[which].append(1000 * (time.thread_time() - started))
    return spent[0][FIRST:], spent[1][FIRST:]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("option", choices=OPTIONS)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="m")
    parser.add_argument("--out", type=Path, help="by default results/OPTION_cost.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rounds = [times_ms(args) for _ in range(args.rounds)]
    without, having = (float(np.median(np.concatenate(part))) for part in zip(*rounds, strict=True))
    ratio = having / without
    print(f"{without:.3f} ms without, {having:.3f} ms with {args.option}, {having - without:.3f} more: {ratio:.3f}")
    of_rounds = [round(float(np.median(more) / np.median(less)), 3) for less, more in rounds]
    content = {"frames": args.frames, "model_size": args.model, "ms": {"without": without, "with": having}}
    out = args.out or RESULTS / f"{args.option}_cost.json"
    write_result(out, content | {"ratio": ratio, "ratio_of_rounds": of_rounds})


if __name__ == "__main__":
    main()

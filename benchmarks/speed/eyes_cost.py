"""Milliseconds of a frame with and without eyes, both in one run on the same frames in turn.

    python -m benchmarks.speed.eyes_cost CLIP

Decoding is not counted; the clip is scaled to 1280 × 720, and one face is followed. p50 over the frames after the first
ten, of the thread's processor time, which other processes disturb less than the clock.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from startrack import Tracker, open_source

SIZE = (1280, 720)
FIRST = 10
"""Frames that are not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--model", default="m")
    parser.add_argument("--out", type=Path, default=RESULTS / "eyes_cost.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    spent: dict[bool, list[float]] = {False: [], True: []}
    with (
        open_source(str(args.clip)) as video,
        Tracker(args.model, max_faces=1, eyes=False) as plain,
        Tracker(args.model, max_faces=1, eyes=True) as seeing,
    ):
        for index, frame in zip(range(args.frames), video, strict=False):
            picture = np.asarray(cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
            # whichever comes second finds the picture in the cache
            for eyes in ((False, True), (True, False))[index % 2]:
                started = time.thread_time()
                (seeing if eyes else plain).update(picture, frame.time_s)
                spent[eyes].append(1000 * (time.thread_time() - started))
    without, with_eyes = (float(np.median(spent[eyes][FIRST:])) for eyes in (False, True))
    more = with_eyes - without
    print(f"{len(spent[True])} frames: {without:.2f} ms without eyes, {with_eyes:.2f} ms with, {more:.2f} more")
    write_result(
        args.out, {"frames": len(spent[True]), "model_size": args.model, "ms": {"plain": without, "eyes": with_eyes}}
    )


if __name__ == "__main__":
    main()

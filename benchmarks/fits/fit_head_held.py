"""How far people hold their chins down in portraits: HELD_DEG of train/synthetic/head/markup.py.

    python -m benchmarks.fits.fit_head_held portraits --check faces

The free models read each picture; the mean head of rendered faces, which is upright as ICT's, is laid onto the
landmarks without the jaw. Heads that look ahead count. On rendered faces, whose true landmarks are taken, it says how
far the fit is off.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from startrack import read_faces
from startrack.outside import LARGEST_FACTS, read_json
from startrack.tracker.signals.head_pose import guessed_camera, head_pose
from startrack.tracker.signals.rendered_faces import RENDERED_HEAD
from startrack.tracker.types import FloatArray
from startrack.train.sets import rendered

AHEAD_DEG = 12.0
"""Most that a head may be turned aside."""
PICTURES = (".jpg", ".jpeg", ".png")


def chin_down_deg(points: FloatArray) -> float | None:
    """None for a head that does not look ahead. points: (68, 2) pixels, y down."""
    # of weak perspective, whose angles no camera changes
    pitch, yaw, _ = head_pose(points, guessed_camera(1, 1), RENDERED_HEAD).angles_rad
    return math.degrees(pitch) if abs(math.degrees(yaw)) < AHEAD_DEG else None


def of_portraits(folder: Path) -> list[float]:
    """Degrees of the surest face of each picture, of those that look ahead."""
    paths = sorted(one for one in folder.iterdir() if one.suffix.lower() in PICTURES)
    surest = [track for path in paths for track in read_faces(path, model="free").tracks[:1]]
    return [down for track in surest if (down := chin_down_deg(track.landmarks.points)) is not None]


def of_rendered(folder: Path) -> list[float]:
    """Degrees by which the fit differs from the true pitch of held-back faces that look ahead."""
    off = []
    for sample in rendered.load(folder, "validation"):
        facts: Any = read_json(sample.path.with_suffix(rendered.FACTS_SUFFIX), LARGEST_FACTS)
        if (down := chin_down_deg(sample.landmarks)) is not None:
            off.append(down - facts["pitch_deg"])
    return off


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("portraits", type=Path, help="folder of pictures of a person each")
    parser.add_argument("--check", type=Path, help="folder that startrack render made")
    args = parser.parse_args()
    held = of_portraits(args.portraits)
    print(f"{len(held)} portraits look ahead: chin down by {np.median(held):.1f} degrees in the median")
    if args.check:
        off = of_rendered(args.check)
        print(f"{len(off)} rendered faces: {np.median(off):+.1f} degrees off in the median")


if __name__ == "__main__":
    main()

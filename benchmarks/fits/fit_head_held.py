"""How far people hold their chins down in portraits: HELD_DEG of train/synthetic/head/markup.py.

    python -m benchmarks.fits.fit_head_held portraits --check faces

The free models read each picture; the mean head of rendered faces, which is upright as ICT's, is laid onto the
landmarks without the jaw. Heads that look ahead count. On rendered faces, whose true landmarks are taken, it says how
far the fit is off.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from startrack.engines import load_detector, load_engine
from startrack.engines.base import Engine
from startrack.engines.zoo import zoo_path
from startrack.tracker.crop import roi_from_box, roi_from_landmarks
from startrack.tracker.cut import cut_for
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.head_pose import head_rotation
from startrack.tracker.signals.rendered_faces import RENDERED_HEAD
from startrack.tracker.types import FloatArray, Frame, ImageArray, Roi
from startrack.train.sets import rendered
from startrack.train.sets.sample import read_picture

AHEAD_DEG = 12.0
"""Most that a head may be turned aside."""
PICTURES = (".jpg", ".jpeg", ".png")


def angles_deg(points: FloatArray) -> tuple[float, float]:
    """How far a head is turned aside, and how far its chin is held down. points: (68, 2)."""
    ahead = -head_rotation(points, RENDERED_HEAD)[:, 2]
    return float(np.degrees(np.arctan2(ahead[0], -ahead[2]))), float(np.degrees(np.arctan2(ahead[1], -ahead[2])))


def read(engine: Engine, image: ImageArray, roi: Roi) -> FloatArray:
    """(68, 2) pixels of the picture."""
    cut = cut_for(engine.spec, image, [roi])
    points: FloatArray = cut.points_back(engine(cut.crops).points)[0]
    return points


def portraits(folder: Path) -> Iterator[FloatArray]:
    """Landmarks of the surest face of each picture in which one is found."""
    with (
        load_engine(zoo_path("free"), "cpu") as engine,
        ZooDetector(load_detector(zoo_path("free-detector"))) as detect,
    ):
        for path in sorted(one for one in folder.iterdir() if one.suffix.lower() in PICTURES):
            image = read_picture(path)
            if boxes := detect(Frame(image, 0, 0.0)):
                best = max(boxes, key=lambda box: box.score)
                points = read(engine, image, roi_from_box(best, engine.spec.crop_scale))
                yield read(engine, image, roi_from_landmarks(points, IBUG_68, engine.spec.crop_scale))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("portraits", type=Path, help="folder of pictures of a person each")
    parser.add_argument("--check", type=Path, help="folder that startrack render made")
    args = parser.parse_args()
    found = np.array([angles_deg(points) for points in portraits(args.portraits)])
    held = found[np.abs(found[:, 0]) < AHEAD_DEG, 1]
    print(f"{len(held)} of {len(found)} portraits look ahead: chin down by {np.median(held):.1f} degrees in the median")
    if args.check:
        off = []
        for sample in rendered.load(args.check, "validation"):
            facts = json.loads(sample.path.with_suffix(rendered.FACTS_SUFFIX).read_text(encoding="utf-8"))
            down = angles_deg(sample.landmarks)[1]
            if abs(facts["turn_deg"]) < AHEAD_DEG and abs(facts["roll_deg"]) < AHEAD_DEG:
                off.append(down - facts["pitch_deg"])
        print(f"{len(off)} rendered faces: {np.median(off):+.1f} degrees off in the median")


if __name__ == "__main__":
    main()

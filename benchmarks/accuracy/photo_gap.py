"""Where rendered faces differ in shape from people in portraits, both as MediaPipe FaceMesh sees them.

    python -m benchmarks.accuracy.photo_gap free_portraits --rendered faces --facemesh-python facemesh/bin/python

Lengths and heights in distances of the outer eye corners, on heads that look ahead: median and spread (half the span of
the middle 68 %) of each, and the difference of the medians in spreads of the rendered faces. What photos show and
renders lack is what the renderer should vary next; no landmark of a photo takes part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.accuracy.portraits import Points, in_eye_frame, true_finds, turn_deg
from benchmarks.shared.processes import facemesh_on
from startrack.train.sets import rendered

AHEAD_DEG = 20.0
FEATURES: dict[str, tuple[str, int, int]] = {
    "eye, length": ("length", 36, 39),
    "eye, height": ("height", 37, 41),
    "eyes, between": ("length", 39, 42),
    "brow over the eye": ("height", 19, 37),
    "nose, height": ("height", 27, 33),
    "nose, width": ("length", 31, 35),
    "nose to lip": ("height", 33, 51),
    "mouth, width": ("length", 48, 54),
    "mouth, open": ("height", 62, 66),
    "corner of the mouth below the lip's middle": ("height", 51, 48),
    "upper lip": ("height", 51, 62),
    "lower lip": ("height", 66, 57),
    "chin": ("height", 57, 8),
    "face, height": ("height", 27, 8),
    "face, width at the mouth": ("length", 4, 12),
}
"""Name → what is measured from one landmark to another: their distance, or how far the second lies below the first."""


def features(points_N: Points) -> dict[str, Points]:
    """(N,) by name. points_N: (N, 68, 2) pixels."""
    framed = in_eye_frame(points_N, points_N)
    places = framed[:, :68] + 1j * framed[:, 68:]
    ways = {name: places[:, to] - places[:, start] for name, (_, start, to) in FEATURES.items()}
    return {name: np.abs(way) if FEATURES[name][0] == "length" else way.imag for name, way in ways.items()}


def spread(values: Points) -> float:
    low, high = np.percentile(values, [16, 84])
    return float(high - low) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("portraits", type=Path, help="folder of pictures of a person each")
    parser.add_argument("--rendered", type=Path, required=True, help="folder that startrack render made")
    parser.add_argument("--count", type=int, default=700, help="rendered faces to read")
    parser.add_argument("--facemesh-python", type=Path, required=True, help="Python with mediapipe 0.10.21")
    args = parser.parse_args()
    made = [one for one in rendered.load(args.rendered, "all") if turn_deg(one.landmarks) < AHEAD_DEG][: args.count]
    truth = np.array([one.landmarks for one in made], np.float64)
    peer = facemesh_on(args.facemesh_python, [one.path for one in made], "--refine")
    peer = peer[true_finds(peer, truth)]
    photos = facemesh_on(args.facemesh_python, sorted(args.portraits.glob("*.jpg")), "--refine")
    photos = np.array([points for points in photos if np.isfinite(points).all() and turn_deg(points) < AHEAD_DEG])
    of_photos, of_made = features(photos), features(peer)
    print(f"{len(photos)} portraits, {len(peer)} rendered faces")
    print("| | portraits | rendered | difference in spreads |\n|---|---|---|---|")
    for name, values in of_photos.items():
        cells = [f"{np.median(some):.3f} ± {spread(some):.3f}" for some in (values, of_made[name])]
        away = (np.median(values) - np.median(of_made[name])) / spread(of_made[name])
        print(f"| {name} | {' | '.join(cells)} | {away:+.2f} |")


if __name__ == "__main__":
    main()

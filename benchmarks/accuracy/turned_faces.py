"""Landmarks of turned heads in real photos, against five points a face that another detector set.

    python -m benchmarks.accuracy.turned_faces data/wider_photos

Nobody marked 68 points on profiles, so eyes, nose tip and mouth corners are compared, in per cent of the face's height,
after two steps on from the crop by the five points. The points are a detector's (YuNet), whose own noise the frontal
faces show. A head counts as turned if the nose lies far from the middle of the eyes, measured along them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.opened_model import opened_model
from benchmarks.shared.record import RESULTS, described, write_result
from startrack.engines.base import ModelSpec
from startrack.engines.zoo import SIZES, zoo_path
from startrack.tracker.crop import roi_from_box
from startrack.tracker.detect.five_points import box_from_five_points
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.sets.sample import read_picture
from startrack.train.validation.crop_trust import Photos, Read

SCORE, HEIGHT_PX = 0.8, 40.0
TURNED, FRONTAL = 0.45, 0.08
"""Distance of the nose from the middle of the eyes, along them, over the distance of the eyes: at least, at most."""
READINGS = 3


@dataclass(frozen=True, slots=True, eq=False)
class FivePointFace:
    """One face of a photo."""

    path: Path
    points: FloatArray
    """(5, 2) pixels: right eye, left eye, nose tip, right and left mouth corner."""
    height: float

    @property
    def aside(self) -> float:
        """How far the nose lies from the middle of the eyes; see TURNED."""
        along = self.points[1] - self.points[0]
        distance = max(float(np.linalg.norm(along)), 1e-3)
        nose = self.points[2] - (self.points[0] + self.points[1]) / 2
        return abs(float(nose @ along)) / distance**2


def load(folder: Path) -> list[FivePointFace]:
    """The faces of a list that are trusted and large enough."""
    rows = json.loads((folder / "faces.json").read_text(encoding="utf-8"))["images"]
    return [
        FivePointFace(folder / name, np.reshape(row[4:14], (5, 2)), row[3])
        for name in sorted(rows)
        for row in rows[name]
        if row[14] >= SCORE and row[3] >= HEIGHT_PX
    ]


def five_of(points_NK2: FloatArray) -> FloatArray:
    """(N, 5, 2) of 68 landmarks."""
    eyes = [points_NK2[:, 36:42].mean(axis=1), points_NK2[:, 42:48].mean(axis=1)]
    return np.stack([*eyes, points_NK2[:, 30], points_NK2[:, 48], points_NK2[:, 54]], axis=1)


def errors(faces: list[FivePointFace], images: list[ImageArray], spec: ModelSpec, read: Read) -> FloatArray:
    """(N,) mean distance of the five points, % of the face's height."""
    points = np.stack([face.points for face in faces])
    photos = Photos(images, points, spec)
    rois: list[Roi] = [roi_from_box(box_from_five_points(one, 1.0), spec.crop_scale) for one in points]
    predicted = five_of(photos.follow(read, rois, READINGS)[-1])
    heights = np.array([face.height for face in faces])
    return 100 * np.linalg.norm(predicted - points, axis=-1).mean(axis=1) / heights  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="photos with a faces.json of rows of 15 numbers")
    parser.add_argument("--weights", type=Path, nargs="+", default=[zoo_path(name) for name in SIZES.values()])
    parser.add_argument("--out", type=Path, default=RESULTS / "turned_faces.json")
    args = parser.parse_args()
    faces = load(args.root)
    groups = {
        "turned": [face for face in faces if face.aside >= TURNED],
        "frontal": [face for face in faces if face.aside <= FRONTAL],
    }
    pictures = {name: [read_picture(face.path) for face in some] for name, some in groups.items()}
    results: dict[str, Any] = {}
    for path in args.weights:
        figures: dict[str, Any] = {}
        with opened_model(path) as (spec, read):
            for group, some in groups.items():
                error = errors(some, pictures[group], spec, read)
                deviation = float(error.std(ddof=1) / np.sqrt(len(error)))
                figures[group] = {
                    "faces": len(some),
                    "mean": float(error.mean()),
                    "standard_error": deviation,
                    "median": float(np.median(error)),
                    "above_10": 100 * float((error > 10).mean()),
                }
        name = "/".join(path.parts[-2:])
        results[name] = {**described(path), **figures}
        cells = "   ".join(
            f"{group} ({one['faces']}) {one['mean']:5.2f} ± {one['standard_error']:.2f}, median {one['median']:.2f}"
            for group, one in figures.items()
        )
        print(f"{name:36} {cells}", flush=True)
    write_result(args.out, {"models": results}, model=args.weights[0])


if __name__ == "__main__":
    main()

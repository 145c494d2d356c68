"""Fit a shipped statistical shape of faces to training faces, of 300W or rendered, and try it on validation faces.

python -m benchmarks.fits.fit_face_shape data/300w
python -m benchmarks.fits.fit_face_shape faces --dataset rendered
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.shape import face_shape
from startrack.tracker.shape.face_shape import SHAPE_FILES, FaceShape
from startrack.tracker.types import FloatArray
from startrack.train.sets import DATASETS

MODES = 25
"""They hold 97 % of the variance."""
READ_ERROR = 0.015
"""Standard deviation per axis of a network's landmarks, over the side of the landmarks' box; set by hand."""


def as_read(exact_NK2: FloatArray) -> FloatArray:
    """Exact landmarks with READ_ERROR: without it a network's landmarks would be too rough for a face."""
    sides_N = np.ptp(exact_NK2, axis=1).max(axis=1)
    errors = np.random.default_rng(0).normal(0, READ_ERROR, exact_NK2.shape)
    return exact_NK2 + errors * sides_N[:, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--dataset", choices=("300w", "rendered"), default="300w")
    args = parser.parse_args()
    faces = {
        split: np.array([one.landmarks for one in DATASETS[args.dataset](args.root, split)])
        for split in ("train", "validation")
    }
    name = SHAPE_FILES["research" if args.dataset == "300w" else "free"].format(IBUG_68.name)
    out = Path(face_shape.__file__).parent / name
    known = faces["train"] if args.dataset == "300w" else as_read(faces["train"])
    FaceShape.fit(known, IBUG_68, MODES).save(out)
    shipped = FaceShape.load(out)
    for split, landmarks in faces.items():
        distances = [shipped.distance(face) for face in landmarks]
        shares = ", ".join(f"{q:.1%} {np.quantile(distances, q):.2f}" for q in (0.5, 0.99, 1.0))
        print(f"{split}: distance of {len(distances)} faces: {shares}")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()

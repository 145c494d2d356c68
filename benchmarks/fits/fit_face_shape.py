"""Fit the shipped statistical shape of faces to the training faces of 300W, and try it on its validation faces.

python -m benchmarks.fits.fit_face_shape data/300w
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.shape import face_shape
from startrack.tracker.shape.face_shape import FaceShape
from startrack.train.sets import ibug_300w

MODES = 25
"""They hold 97 % of the variance."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--out", type=Path, default=Path(face_shape.__file__).parent / f"{IBUG_68.name}.npz")
    args = parser.parse_args()
    faces = {
        split: np.array([one.landmarks for one in ibug_300w.load(args.root, split)])
        for split in ("train", "validation")
    }
    FaceShape.fit(faces["train"], IBUG_68, MODES).save(args.out)
    shipped = FaceShape.load(args.out)
    for split, landmarks in faces.items():
        distances = [shipped.distance(face) for face in landmarks]
        shares = ", ".join(f"{q:.1%} {np.quantile(distances, q):.2f}" for q in (0.5, 0.99, 1.0))
        print(f"{split}: distance of {len(distances)} faces: {shares}")
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()

"""How far landmark models are from MediaPipe FaceMesh on portraits without landmarks: what `free` is chosen by.

    python -m benchmarks.accuracy.portraits free_portraits --rendered faces --facemesh-python facemesh/bin/python \\
        --weights engines/zoo/free.onnx

FaceMesh's 68 points are laid onto our markup by a ridge regression on rendered faces, whose landmarks are exact, in the
frame of the outer eye corners: no annotated photo takes part. It is a peer's opinion, not a measurement.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.opened_model import opened_model
from benchmarks.shared.processes import facemesh_on
from startrack.tracker.motion.similarity import as_complex
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.head_pose import guessed_camera, head_pose
from startrack.tracker.signals.rendered_faces import RENDERED_HEAD
from startrack.tracker.types import FloatArray
from startrack.train.metrics.nme import inter_ocular, nme
from startrack.train.sets import rendered
from startrack.train.sets.sample import read_picture
from startrack.train.validation.crop_trust import Photos

# N faces, 68 landmarks

Points = NDArray[np.float64]
RIDGE = 0.03
"""Penalty of the regression; coordinates are in distances of the outer eye corners."""
FITTED_DEG, COMPARED_DEG = 40.0, 25.0
"""Most that a rendered head is turned to take part, and a portrait's to be compared."""
MOST_OFF = 0.15
"""Mean distance from the truth, in eye distances, beyond which FaceMesh has found something else."""
READINGS = 2


def in_eye_frame(points_N: Points, eyes_N: Points) -> Points:
    """(N, 136) x and y with the outer eye corners of `eyes` at (0, 0) and (1, 0). both: (N, 68, 2) pixels."""
    points, eyes = (np.stack([as_complex(one) for one in some]) for some in (points_N, eyes_N))
    right, left = eyes[:, 36:37], eyes[:, 45:46]
    framed = (points - right) / (left - right)
    return np.concatenate([framed.real, framed.imag], axis=1)


def out_of_eye_frame(framed_N: Points, eyes_N: Points) -> Points:
    """The way back: (N, 136) → (N, 68, 2) pixels."""
    eyes = np.stack([as_complex(one) for one in eyes_N])
    right, left = eyes[:, 36:37], eyes[:, 45:46]
    points = (framed_N[:, :68] + 1j * framed_N[:, 68:]) * (left - right) + right
    return np.stack([points.real, points.imag], axis=-1)


def regression(peer_N: Points, truth_N: Points) -> tuple[Points, Points]:
    """(136, 136) and (136,): FaceMesh's points in their eye frame → our markup's in the same."""
    inputs, wanted = in_eye_frame(peer_N, peer_N), in_eye_frame(truth_N, peer_N)
    middle, aim = inputs.mean(axis=0), wanted.mean(axis=0)
    centred = inputs - middle
    matrix: Points = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(136), centred.T @ (wanted - aim))
    return matrix, aim - middle @ matrix


def fitted(python: Path, folder: Path, count: int) -> tuple[Points, Points]:
    """The regression from the first `count` rendered faces that are not turned far."""
    ahead = [one for one in rendered.load(folder, "all")[:count] if turn_deg(one.landmarks) < FITTED_DEG]
    peer = facemesh_on(python, [one.path for one in ahead], "--refine")
    truth = np.array([one.landmarks for one in ahead], np.float64)
    kept = true_finds(peer, truth)
    print(f"FaceMesh laid onto the markup by {kept.sum()} of {len(ahead)} rendered faces")
    return regression(peer[kept], truth[kept])


def true_finds(peer_N: Points, truth_N: Points) -> NDArray[np.bool_]:
    """(N,) whether FaceMesh has found the rendered face. both: (N, 68, 2) pixels, NaN where it found none."""
    off = np.linalg.norm(peer_N - truth_N, axis=-1).mean(axis=1) / inter_ocular(truth_N, IBUG_68)
    return np.asarray(off < MOST_OFF)


def turn_deg(points: FloatArray) -> float:
    """Degrees to the side."""
    return abs(math.degrees(head_pose(points, guessed_camera(1, 1), RENDERED_HEAD).angles_rad[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("portraits", type=Path, help="folder of pictures of a person each")
    parser.add_argument("--rendered", type=Path, required=True, help="folder that startrack render made")
    parser.add_argument("--count", type=int, default=1500, help="rendered faces to read")
    parser.add_argument("--facemesh-python", type=Path, required=True, help="Python with mediapipe 0.10.21")
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    matrix, constant = fitted(args.facemesh_python, args.rendered, args.count)
    paths = np.array(sorted(args.portraits.glob("*.jpg")))
    peer = facemesh_on(args.facemesh_python, list(paths), "--refine")
    found = np.isfinite(peer[:, 0, 0])
    laid = out_of_eye_frame(in_eye_frame(peer[found], peer[found]) @ matrix + constant, peer[found])
    ahead = np.array([turn_deg(points) < COMPARED_DEG for points in laid])
    laid, paths = laid[ahead], paths[found][ahead]
    images = [read_picture(path) for path in paths]
    kinds = np.array([path.stem.split("_")[0] for path in paths])
    for weights in args.weights:
        with opened_model(weights) as (spec, read):
            photos = Photos(images, laid, spec)
            away = 100 * nme(photos.follow(read, photos.true_rois, READINGS)[-1], laid, inter_ocular(laid, IBUG_68))
        groups = {str(kind): away[kinds == kind] for kind in np.unique(kinds)}
        cells = ", ".join(f"{kind} ({len(some)}) {some.mean():.2f}" for kind, some in groups.items())
        print(f"{'/'.join(weights.parts[-2:])}: % of the eye distance: {cells}", flush=True)


if __name__ == "__main__":
    main()

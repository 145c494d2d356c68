"""Fit the mean head and the limits of neutral faces (tracker/signals) on 300W training faces.

Rigid structure from motion under weak perspective (Tomasi and Kanade, IJCV 1992): every training face and its mirror
image is a view of one head; what expressions and persons change averages out. The factorisation starts it, then poses
and head are solved in turn. The jaw's points slide along the outline as the head turns, so the jaw is solved last, from
near frontal views, and takes no part in poses. The limits of tracker/signals/shapes.py are median, 2nd and 98th
percentile of each measure, of the mouth's over the faces with closed lips.

    python -m benchmarks.fits.fit_head_model ../shared/data/300w
    python -m benchmarks.fits.fit_head_model faces --dataset rendered

Rendered faces (tracker/signals/rendered_faces.py) come with their landmarks in space and their poses: the head is their
mean, upright as the head model that they were rendered from, and the spread that of parallel projections. Limits are
those of faces that are calm: CALM.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.expression import MEASURES, OPENINGS, frontal_shapes, rigid_poses
from startrack.tracker.signals.head_pose import POSED, rigid_fit, weak_perspective
from startrack.tracker.signals.shapes import face_measures
from startrack.tracker.types import HeadModel
from startrack.train.sets import ibug_300w, rendered

# N views, n points, 3 x right, y down, z away from the camera

ROUNDS = 60
FRONTAL_RAD = 0.2
"""Turn up to which a view shows the jaw."""
LIMITS_RAD = 0.5
"""Turn up to which a view shows how a face is shaped."""
CLOSED_LIPS = 0.015
"""Distance of the inner lips, in distances of the outer eye corners."""
CALM = ("neutral", "smile", "talk", "sad", "squint")
"""Kinds of rendered expressions as most photos show them."""
WIDER = 2.0
"""Factor of the limits of rendered faces: they differ less than people do, and are read without error."""
PERCENTILES = (1, 2, 5, 50, 95, 98, 99)


def factorise(views_Nn2: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) the rigid head that explains centred views best, before it is turned upright."""
    scaled = views_Nn2 / np.sqrt((views_Nn2**2).sum(axis=(1, 2), keepdims=True))
    left, values, right = np.linalg.svd(scaled.transpose(0, 2, 1).reshape(-1, scaled.shape[1]), full_matrices=False)
    cameras = (left[:, :3] * values[:3]).reshape(-1, 2, 3)
    first, second = cameras[:, 0], cameras[:, 1]

    def products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        pairs = [a[:, i] * b[:, j] + (a[:, j] * b[:, i] if i != j else 0) for i in range(3) for j in range(i, 3)]
        return np.stack(pairs, axis=1)

    # rows of a camera are equally long and at right angles
    equations = np.concatenate([products(first, first) - products(second, second), products(first, second)])
    xx, xy, xz, yy, yz, zz = np.linalg.svd(equations, full_matrices=False)[2][-1]
    metric = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    values, axes = np.linalg.eigh(metric * np.sign(np.trace(metric)))
    return (np.linalg.inv(axes * np.sqrt(values.clip(1e-6))) @ right[:3]).T


def upright(head_n3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned so that left and right mirror each other over x = 0, y runs from nasion to lower lip, and the nose's tip
    is nearest to the camera."""
    centred, at = head_n3 - head_n3.mean(axis=0), {k: row for row, k in enumerate(POSED)}
    flipped = [at[int(IBUG_68.flip_order[k])] for k in POSED]
    x = np.linalg.svd(centred[flipped] - centred)[2][0]
    x *= np.sign((centred[at[45]] - centred[at[36]]) @ x)
    down = centred[at[57]] - centred[at[27]]
    y = down - (down @ x) * x
    y /= np.linalg.norm(y)
    turned = np.stack([centred @ x, centred @ y, centred @ np.cross(x, y)], axis=1)
    turned[:, 2] *= -np.sign(turned[at[30], 2])
    return turned


def symmetric(head_n3: NDArray[np.float64], points: list[int]) -> NDArray[np.float64]:
    flipped = [points.index(int(IBUG_68.flip_order[k])) for k in points]
    return (head_n3 + head_n3[flipped] * [-1, 1, 1]) / 2


def solve_points(views: NDArray[np.float64], cameras_N23: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) the points that, seen by the cameras, lie nearest to the views."""
    normal = np.einsum("nai,naj->ij", cameras_N23, cameras_N23)
    return np.linalg.solve(normal, np.einsum("nai,nka->ik", cameras_N23, views)).T


def fit(views_NK2: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(68, 3) head in distances of the outer eye corners, origin between them, and (51,) spread of each posed point."""
    posed = views_NK2[:, list(POSED)]
    head = symmetric(upright(factorise(posed - posed.mean(axis=1, keepdims=True))), list(POSED))
    # equal weights: weights by spread would give all to the point that has them
    weight, at = np.ones(len(POSED)), {k: row for row, k in enumerate(POSED)}
    for _ in range(ROUNDS):
        turns, scales, origins = weak_perspective(posed, rigid_fit(head, weight))
        views = (posed - origins[:, None]) / scales[:, None, None]
        spread = np.sqrt(((views - np.einsum("nai,ki->nka", turns[:, :2], head)) ** 2).sum(axis=-1).mean(axis=0))
        head = symmetric(solve_points(views, turns[:, :2]), list(POSED))
        head -= (head[at[36]] + head[at[45]]) / 2
        # frontal is the middle of the training faces' poses
        head = head @ rotation_x(float(np.median(np.arctan2(-turns[:, 1, 2], turns[:, 2, 2])))).T
        head /= np.linalg.norm(head[at[36]] - head[at[45]])
    turns, scales, origins = weak_perspective(posed, rigid_fit(head, weight))
    frontal = np.arccos(turns[:, 2, 2].clip(-1, 1)) < FRONTAL_RAD
    jaw = (views_NK2[frontal, :17] - origins[frontal, None]) / scales[frontal, None, None]
    jaw = symmetric(solve_points(jaw, turns[frontal, :2]), list(range(17)))
    return np.concatenate([jaw, head]), spread


def rotation_x(angle_rad: float) -> NDArray[np.float64]:
    sine, cosine = np.sin(angle_rad), np.cos(angle_rad)
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])


def exact(places_NK3: NDArray[np.float64], turns_N33: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """As fit, of faces whose landmarks in the camera's frame and rotations from the head's are known."""
    axes = np.array([1.0, -1.0, -1.0])
    heads = np.einsum("nka,nab->nkb", places_NK3, turns_N33) * axes
    heads -= (heads[:, 36:37] + heads[:, 45:46]) / 2
    heads /= np.linalg.norm(heads[:, 36] - heads[:, 45], axis=1)[:, None, None]
    towards = np.einsum("nab,b->na", turns_N33 * axes, [0.0, 0.0, 1.0])
    frontal = np.arccos(towards[:, 2].clip(-1, 1)) < FRONTAL_RAD
    head = symmetric(np.concatenate([heads[frontal, :17].mean(axis=0), heads[:, 17:].mean(axis=0)]), list(range(68)))
    posed = places_NK3[:, list(POSED), :2]
    turns, scales, origins = weak_perspective(posed, rigid_fit(head[17:], np.ones(len(POSED))))
    left = (posed - origins[:, None]) / scales[:, None, None] - np.einsum("nai,ki->nka", turns[:, :2], head[17:])
    return head, np.sqrt((left**2).sum(axis=-1).mean(axis=0))


def limits(faces_Nk2: NDArray[np.float64], head: HeadModel) -> NDArray[np.float64]:
    """(M + 2, 3) median, 2nd and 98th percentile of the measures of faces that look at the camera, and their mirror
    images: of the mouth's and the nose's wings of those with closed lips."""
    mirrored = faces_Nk2[:, IBUG_68.flip_order] * [-1, 1]
    views = np.concatenate([faces_Nk2, mirrored])
    turns, scales, origins = rigid_poses(views, head)
    shapes = frontal_shapes(views, turns, scales, origins, head)[np.arccos(turns[:, 2, 2].clip(-1, 1)) < LIMITS_RAD]
    closed = (shapes[:, [65, 66, 67], 1] - shapes[:, [61, 62, 63], 1]).mean(axis=1) < CLOSED_LIPS
    rows = np.array([face_measures(shape) for shape in shapes])
    mouth = [name.startswith(("corner", "lip", "mid", "chin", "mouth", "wing")) for name in (*MEASURES, *OPENINGS)]
    spread = [np.percentile(chosen, (50, 2, 98), axis=0).T for chosen in (rows, rows[closed])]
    return np.where(np.array(mouth)[:, None], spread[1], spread[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--dataset", choices=("300w", "rendered"), default="300w")
    args = parser.parse_args()
    if args.dataset == "rendered":
        paths = [sample.path.with_suffix(".json") for sample in rendered.load(args.root, "train")]
        facts = [json.loads(path.read_text()) for path in paths]
        places = np.array([one["landmarks_cm"] for one in facts])
        head, spread = exact(places, np.array([one["rotation"] for one in facts]))
        faces = places[[one["expression"] in CALM for one in facts], :, :2]
    else:
        faces = np.stack([sample.landmarks for sample in ibug_300w.load(args.root, "train")])
        mirrored = np.asarray(faces, np.float64)[:, IBUG_68.flip_order] * [-1, 1]
        head, spread = fit(np.concatenate([faces, mirrored]))
    print(np.array2string(head.round(3), separator=", "))
    print(np.array2string((0.03 / spread).round(2) ** 2, separator=", "))
    turns, _, _ = weak_perspective(faces[:, list(POSED)], rigid_fit(head[17:], (0.03 / spread) ** 2))
    yaw, pitch = np.degrees(np.arcsin(turns[:, 0, 2])), np.degrees(np.arctan2(-turns[:, 1, 2], turns[:, 2, 2]))
    print("yaw", np.percentile(yaw, PERCENTILES).round(1), "pitch", np.percentile(pitch, PERCENTILES).round(1))
    found = limits(np.asarray(faces, np.float64), HeadModel(head, (0.03 / spread) ** 2))
    if args.dataset == "rendered":
        found = found[:, :1] + WIDER * (found - found[:, :1])
    for name, row in zip((*MEASURES, *OPENINGS), found, strict=True):
        print(f"{name:24}", *(f"{value:7.3f}" for value in row))
    for column in found.T:
        print(np.array2string(column.round(3), separator=", "))


if __name__ == "__main__":
    main()

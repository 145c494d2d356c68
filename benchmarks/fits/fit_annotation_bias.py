"""Bias of 300W's landmarks (train/targets/annotation_bias.py) against a network trained on mirrored faces.

python -m benchmarks.fits.fit_annotation_bias data/300w --weights MODEL.onnx --extra data/helen256

The network must have been trained on faces and mirrored faces with one kind of landmarks: then it knows no left and
right, and what the landmarks of the training faces differ from its own by, on the average, is theirs. Prints the
numbers of IBUG_300W_BIAS, and how well it holds: from either half of the faces, by folder, and by yaw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from startrack.tracker.crop import roi_from_landmarks
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.recipes.load import load_landmark_network
from startrack.train.sets import ibug_300w
from startrack.train.targets.annotation_bias import antisymmetric
from startrack.train.validation.crop_trust import Photos

UNIT = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the published folders of 300W")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--extra", type=Path, action="append", default=[], help="folders of further faces")
    args = parser.parse_args()
    faces = ibug_300w.load(args.root, "train") + ibug_300w.load_extra(args.extra)
    spec, network = load_landmark_network(args.weights)
    network.eval()
    photos = Photos.of(faces, spec)
    rois = [roi_from_landmarks(points, IBUG_68, spec.crop_scale) for points in photos.landmarks]
    with torch.inference_mode():
        read = photos.read(lambda crops: network(torch.from_numpy(crops)).points.numpy(), rois)
    turns = np.array([roi.angle_rad for roi in rois])
    sides = np.array([roi.side for roi in rois]) / spec.crop_scale
    cos, sin = np.cos(turns)[:, None], np.sin(turns)[:, None]
    x, y = np.moveaxis((photos.landmarks - read) / sides[:, None, None], -1, 0)
    offsets = np.stack([cos * x + sin * y, -sin * x + cos * y], axis=-1)

    def bias(some: FloatArray) -> FloatArray:
        return antisymmetric(offsets[some].mean(0), IBUG_68)

    everyone = np.ones(len(faces), bool)
    rows = np.round(bias(everyone) / UNIT).astype(int)
    print("[" + ", ".join(f"[{right}, {down}]" for right, down in rows) + "]")
    odd = np.arange(len(faces)) % 2 == 1
    print(f"{len(faces)} faces: root mean square {rms(bias(everyone)):.1f} ten thousandths of the face's side,")
    print(f"of the difference of two halves {rms(bias(odd) - bias(~odd)):.1f}; mean to the right, of these faces:")
    folders = np.array([str(face.path.parent) for face in faces])
    for folder in np.unique(folders):
        print(f"  {folder}: {offsets[folders == folder, :, 0].mean() / UNIT:.1f}")
    nose, eyes = photos.landmarks[:, 30], photos.landmarks[:, 36:48].mean(axis=1)
    aside = ((nose - eyes) * np.stack([cos[:, 0], sin[:, 0]], -1)).sum(-1) / sides
    fifth = np.digitize(aside, np.quantile(aside, [0.2, 0.4, 0.6, 0.8]))
    print("  by yaw, fifths: " + ", ".join(f"{offsets[fifth == one, :, 0].mean() / UNIT:.1f}" for one in range(5)))


def rms(offsets: FloatArray) -> float:
    return float(np.sqrt(np.square(offsets / UNIT).mean()))


if __name__ == "__main__":
    main()

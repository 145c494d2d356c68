"""Eyes of real faces: lids from 300W's landmarks, irises from a peer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from startrack.tracker.eyes.crop import EYES
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.sets import ibug_300w
from startrack.train.sets.eyes.eye_truth import EyeTruth, FaceEyes, lid_ratio, unknown_point
from startrack.train.sets.eyes.iris_labels import IrisLabels, label_of
from startrack.train.sets.sample import Sample
from startrack.train.targets.annotation_bias import IBUG_300W_BIAS, with_bias

SHUT_RATIO, OPEN_RATIO = 0.06, 0.16
"""Opening of the lids over the distance of the corners: below the first the iris cannot be seen, above the second it
can, unless something covers the eye; between them it is not known."""
NORMAL_RATIO = 0.31
"""The same of an eye that is open normally: the median of 300W's training faces."""


def load_real_eyes(root: Path, split: str, labels: IrisLabels) -> list[FaceEyes]:
    """The faces of 300W's published folders, or of one folder of pictures with .pts files, with lids and, where the
    labels have them, irises. Raises DatasetError as train.sets.ibug_300w does.

    split: as ibug_300w.load's; another folder has "train" alone.
    """
    published = (root / ibug_300w.TRAIN_FOLDERS[0]).is_dir()
    if not published and split != "train":
        return []
    samples = ibug_300w.load(root, split) if published else ibug_300w.load_extra([root])
    return [with_lids(sample, labels) for sample in samples]


def load_iris_faces(folders: Sequence[Path], labels: IrisLabels) -> list[FaceEyes]:
    """Faces whose landmarks are a model's, and say only where the eyes are: those that the peer found, with its irises.

    Raises DatasetError as train.sets.ibug_300w does.
    """
    faces = [without_lids(sample, labels) for sample in ibug_300w.load_extra(folders)]
    return [face for face in faces if any(math.isfinite(eye.radius) for eye in face.eyes)]


def with_lids(sample: Sample, labels: IrisLabels) -> FaceEyes:
    """The eyes of a face with true landmarks. 300W's annotation bias is taken away (train/targets/annotation_bias.py):
    a model that sees left eyes mirrored could not tell them from right ones."""
    points = with_bias(sample.landmarks, IBUG_68, IBUG_300W_BIAS, -1)
    return _face(sample, labels, [points[list(eye)] for eye in EYES], known=True)


def without_lids(sample: Sample, labels: IrisLabels) -> FaceEyes:
    """The eyes of a face with rough landmarks."""
    return _face(sample, labels, [sample.landmarks[list(eye)] for eye in EYES], known=False)


def _face(sample: Sample, labels: IrisLabels, lids: Sequence[FloatArray], *, known: bool) -> FaceEyes:
    label = label_of(labels, sample.name, sample.landmarks)
    eyes = []
    for side, points in enumerate(lids):
        ratio = lid_ratio(points)
        can_see = ratio > OPEN_RATIO
        seen = 1.0 if can_see else 0.0 if ratio < SHUT_RATIO else math.nan
        labelled = label is not None and can_see
        eyes.append(
            EyeTruth(
                lids=points,
                iris=label.iris[side] if label is not None and labelled else unknown_point(),
                radius=float(label.radius[side]) if label is not None and labelled else math.nan,
                visible=seen if known else math.nan,
                openness=min(ratio / NORMAL_RATIO, 1.0) if known else math.nan,
                lid_weight=1.0 if known else 0.0,
            )
        )
    return FaceEyes(sample, eyes[0], eyes[1], domain="real" if known else "iris labels")

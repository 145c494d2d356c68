"""The eyes of a folder of faces, whatever kind it is."""

from __future__ import annotations

from pathlib import Path

from startrack.train.sets import rendered
from startrack.train.sets.eyes import rendered_eyes
from startrack.train.sets.eyes.eye_truth import FaceEyes
from startrack.train.sets.eyes.iris_labels import IrisLabels
from startrack.train.sets.eyes.real_eyes import load_real_eyes


def load_eye_set(root: Path, split: str, labels: IrisLabels) -> list[FaceEyes]:
    """Faces that startrack render made, or real ones with 300W's landmarks; split: "train" or "validation".

    Raises DatasetError where the folder is neither.
    """
    if not rendered.is_rendered(root):
        return load_real_eyes(root, split, labels)
    return rendered_eyes.load(root, split)

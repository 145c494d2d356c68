"""A peer's irises for pictures of faces: the file that benchmarks/shared/peer_iris.py writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from startrack.outside import parse_json, read_bounded, reason
from startrack.tracker.eyes.crop import EYES, INNER, OUTER
from startrack.tracker.types import FloatArray
from startrack.train.sets.sample import DatasetError

LARGEST_LABELS = 1 << 28
"""Bytes."""
AGREEMENT = 0.12
"""Mean distance of the peer's eye corners from the face's, over the eye distance: beyond it is another face."""


@dataclass(frozen=True, slots=True, eq=False)
class IrisLabel:
    """Both irises of a face, picture pixels."""

    corners: FloatArray
    """(4, 2) the right eye's outer and inner corner, the left eye's inner and outer."""
    iris: FloatArray
    """(2, 2) right, left."""
    radius: FloatArray
    """(2,)."""


IrisLabels = Mapping[str, Sequence[IrisLabel]]
"""Sample.name of a picture's face → the faces that the peer found in the picture."""


def read_iris_labels(path: Path) -> IrisLabels:
    """Raises DatasetError, with the line, for a file that is not such a file."""
    try:
        lines = read_bounded(path, LARGEST_LABELS).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}") from error
    labels: dict[str, list[IrisLabel]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            entry: Any = parse_json(line)
            labels[str(entry["picture"])] = [_label(face) for face in entry["faces"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path}:{number}: not a picture's irises: {reason(error)}") from error
    return labels


def _label(face: Any) -> IrisLabel:
    corners, iris, radius = (np.array(face[name], np.float64) for name in ("corners", "iris", "radius"))
    if corners.shape != (4, 2) or iris.shape != (2, 2) or radius.shape != (2,):
        raise ValueError("expected 4 corners, 2 irises and 2 radii")
    if not all(np.isfinite(one).all() for one in (corners, iris, radius)):
        raise ValueError("expected finite numbers")
    return IrisLabel(corners, iris, radius)


def label_of(labels: IrisLabels, name: str, landmarks: FloatArray) -> IrisLabel | None:
    """The peer's irises of the face with these landmarks, (68, 2) picture pixels; None where it found none."""
    right, left = EYES
    own = np.asarray(landmarks, np.float64)[[right[OUTER], right[INNER], left[INNER], left[OUTER]]]
    size = max(float(np.linalg.norm(own[3] - own[0])), 1e-6)
    found = [(float(np.linalg.norm(one.corners - own, axis=1).mean()) / size, one) for one in labels.get(name, ())]
    near = min(found, key=lambda pair: pair[0], default=None)
    return near[1] if near is not None and near[0] < AGREEMENT else None

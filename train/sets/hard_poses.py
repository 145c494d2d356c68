"""Turned heads shown more often: training sets are mostly frontal, and the errors are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.head_pose import head_rotation
from startrack.tracker.types import FloatArray
from startrack.train.sets import rendered
from startrack.train.sets.sample import Sample

TURNED_DEG, FAR_TURNED_DEG = 25.0, 33.0


def turn_from_camera_deg(landmarks: FloatArray) -> float:
    """Angle between where the head looks and the camera: yaw and pitch together, not roll.

    landmarks: (68, 2) in the numbering ibug_68.
    """
    return float(np.degrees(np.arccos(np.clip(head_rotation(landmarks)[2, 2], -1, 1))))


def repeats(sample: Sample) -> int:
    """How often an epoch shows the face: once, twice from 25° on, three times from 33° on. Other schemes, and rendered
    faces, which are turned often enough: once."""
    if sample.subset == rendered.SUBSET or len(sample.landmarks) != IBUG_68.num_landmarks:
        return 1
    if not np.isfinite(sample.landmarks).all():
        return 1
    turn = turn_from_camera_deg(sample.landmarks)
    return 1 + int(turn > TURNED_DEG) + int(turn > FAR_TURNED_DEG)


def with_hard_poses_repeated(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, each followed by its repetitions."""
    return [sample for sample in samples for _ in range(repeats(sample))]

"""Faces of a test set as the crops that an engine is given, for comparing engines on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.engines.base import CropArray, FloatArray, ModelSpec
from startrack.tracker.cut import cut_each
from startrack.train.evaluation.evaluate import crop_roi
from startrack.train.sets.sample import DatasetError, Sample


def cut_faces(samples: Sequence[Sample], spec: ModelSpec) -> tuple[CropArray, FloatArray]:
    """(N, S, S, 3) crops in the model's colour order, (N, K, 2) true landmarks in their pixels, NaN where unknown.

    Each face is cut out by its true box, as train.evaluation.evaluate does. Raises DatasetError for an unreadable
    picture, a face without annotated landmarks or another number of them than the model's.
    """
    for sample in samples:
        if np.shape(sample.landmarks) != (spec.num_landmarks, 2):
            raise DatasetError(
                f"{sample.path}: landmarks of shape {np.shape(sample.landmarks)}, {spec.name} predicts "
                f"{spec.num_landmarks}"
            )
    rois = [crop_roi(sample, spec, "landmarks") for sample in samples]
    cut = cut_each(spec, ((sample.read_image(), roi) for sample, roi in zip(samples, rois, strict=True)))
    truth = cut.points_into([sample.landmarks for sample in samples])
    return cut.crops, truth.reshape(-1, spec.num_landmarks, 2).astype(np.float32)

"""Faces of a test set as the crops that an engine is given, for comparing engines on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.engines.base import CropArray, FloatArray, ModelSpec
from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from startrack.train.sets.sample import DatasetError, Sample


def cut_faces(samples: Sequence[Sample], spec: ModelSpec) -> tuple[CropArray, FloatArray]:
    """(N, S, S, 3) crops in the model's colour order, (N, K, 2) true landmarks in their pixels.

    Each face is cut out by its true box, as train.evaluation.evaluate does. Raises DatasetError for an unreadable
    picture or another number of landmarks than the model's.
    """
    crops, truth = [], []
    for sample in samples:
        if np.shape(sample.landmarks) != (spec.num_landmarks, 2):
            raise DatasetError(
                f"{sample.path}: landmarks of shape {np.shape(sample.landmarks)}, {spec.name} predicts "
                f"{spec.num_landmarks}"
            )
        affine = crop_affine(roi_from_points(sample.landmarks, spec.crop_scale), spec.input_size)
        crop = cut_crop(sample.read_image(), affine, spec.input_size)
        crops.append(crop if spec.colour_order == "rgb" else crop[..., ::-1])
        truth.append(transform_points(affine, sample.landmarks))
    size = spec.input_size
    return (
        np.array(crops, np.uint8).reshape(-1, size, size, 3),
        np.array(truth, np.float32).reshape(-1, spec.num_landmarks, 2),
    )

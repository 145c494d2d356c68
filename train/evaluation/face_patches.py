"""Faces as patches of one size, from which the crops of any model can be cut: the same pictures for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from startrack.engines.base import CropArray, Engine, FloatArray, ModelSpec
from startrack.tracker.crop import (
    Affine,
    crop_affine,
    cut_crop,
    invert_affine,
    roi_from_landmarks,
    roi_from_points,
    transform_points,
)
from startrack.tracker.cut import cut_each
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.pipeline import track_frames
from startrack.tracker.types import ImageArray, Roi
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.source import open_source
from startrack.train.sets.sample import DatasetError, Sample

PATCH_SIZE = 512
"""Side of a patch in pixels; the landmarks' bounding square is the middle half of it."""


def patches_of_samples(samples: Sequence[Sample], count: int) -> CropArray:
    """(N, 512, 512, 3) RGB, at most `count` of them, evenly spread. Raises DatasetError for an unreadable picture."""
    if not samples:
        raise DatasetError("no face in the data set; expected one or more")
    chosen = [
        samples[index] for index in np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    ]
    return np.stack([_patch(sample.read_image(), roi_from_points(sample.landmarks, 2.0)) for sample in chosen])


def patches_of_video(path: Path, count: int, detect: FaceDetector, engine: Engine) -> CropArray:
    """(N, 512, 512, 3) RGB of the first faces that the tracker follows. Raises SourceError if there are none."""
    patches: list[ImageArray] = []
    scheme = scheme_of(engine.spec)
    with open_source(str(path)) as video, closing(track_frames(video, detect, engine)) as frames:
        for tracked in frames:
            for face in tracked.tracks:
                roi = roi_from_landmarks(face.landmarks.points, scheme, 2.0)
                patches.append(_patch(tracked.frame.image, roi))
            if len(patches) >= count:
                break
    if not patches:
        raise SourceError(f"{path.name}: no face in it; expected one or more")
    return np.stack(patches[:count])


def crops_of(patches: CropArray, spec: ModelSpec) -> CropArray:
    """(N, S, S, 3) the crops that a model is given of the faces, in its colour order."""
    roi = _face_in_patch(spec)
    return cut_each(spec, ((patch, roi) for patch in patches)).crops


def difference_px(points: tuple[ModelSpec, FloatArray], reference: tuple[ModelSpec, FloatArray]) -> FloatArray:
    """(N, K) distance of a model's landmarks to another's, in pixels as large as those of a 256×256 crop of the other.

    Each: specification and (N, K, 2) landmarks in the model's own crop pixels.
    """
    here, there = (
        transform_points(invert_affine(patch_affine(spec)), points_S) for spec, points_S in (points, reference)
    )
    distance: FloatArray = np.linalg.norm(here - there, axis=-1)
    return distance * 256 / (PATCH_SIZE / 2 * reference[0].crop_scale)


def patch_affine(spec: ModelSpec) -> Affine:
    """Patch pixels → the model's crop pixels."""
    return crop_affine(_face_in_patch(spec), spec.input_size)


def _face_in_patch(spec: ModelSpec) -> Roi:
    middle = np.full(2, (PATCH_SIZE - 1) / 2)
    return Roi(middle, PATCH_SIZE / 2 * spec.crop_scale)


def _patch(image: ImageArray, roi: Roi) -> ImageArray:
    return cut_crop(image, crop_affine(roi, PATCH_SIZE), PATCH_SIZE)

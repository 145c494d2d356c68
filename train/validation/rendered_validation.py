"""Recipe.validate on rendered faces: per cent of the eye distance where both eyes show, of the box to any angle."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import find_scheme
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.metrics.nme import box_side, inter_ocular, nme
from startrack.train.sets.rendered import turn_name
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.validation.crop_trust import Photos

FRONT_DEG = 45.0
"""Faces turned less have an eye distance to measure by."""


def rendered_validation(
    samples: Sequence[Sample], spec: ModelSpec, deployed: Callable[[nn.Module], nn.Module]
) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate. samples: rendered faces held back from training. deployed: network → crops to points
    (B, K, 2). Raises DatasetError if none of the faces is turned less than FRONT_DEG."""
    front = {turn_name(angle) for angle in np.arange(0, FRONT_DEG, 5.0)}
    front_N = np.array([bool(front & set(sample.attributes)) for sample in samples], bool)
    if not front_N.any():
        raise DatasetError(
            f"{len(samples)} rendered faces held back, none of them turned less than {FRONT_DEG:g}°; expected some: "
            "more pictures"
        )
    photos, scheme = Photos.of(samples, spec), find_scheme(spec.scheme)

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        runnable = deployed(network).eval()

        def read(crops: ImageArray) -> FloatArray:
            return runnable(torch.from_numpy(crops).to(device)).points.cpu().numpy()  # type: ignore[no-any-return]

        points, truth = photos.read(read, photos.true_rois), photos.landmarks
        eyes_N = nme(points[front_N], truth[front_N], inter_ocular(truth[front_N], scheme))
        box_N = nme(points, truth, box_side(truth, scheme))
        return {"validation_nme": 100 * float(eyes_N.mean()), "validation_box_nme": 100 * float(box_N.mean())}

    return validate

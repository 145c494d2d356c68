"""The figure that a landmark training is watched by: NME on held-back faces."""

# N faces, K landmarks, S side of the crop

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray
from startrack.train.feed.cropped_faces import PlainFaces
from startrack.train.feed.dataset import ItemKey
from startrack.train.metrics.nme import inter_ocular, landmark_errors

BATCH = 32


def landmark_validation(
    faces: PlainFaces,
    deployed: Callable[[nn.Module], nn.Module],
    *,
    normaliser: Callable[[FloatArray, LandmarkScheme], FloatArray] = inter_ocular,
    figure: str = "validation_nme",
) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate: NME in per cent over all faces, one plain crop each; landmarks without a place (NaN) do
    not count.

    faces: without augmentation. deployed: network → crops to points (B, K, 2), e.g. SoftmaxLandmarks.
    """

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        runnable = deployed(network).eval()
        points, truth = [], []
        for start in range(0, len(faces), BATCH):
            items = [faces[ItemKey(0, index)] for index in range(start, min(start + BATCH, len(faces)))]
            points.append(runnable(torch.stack([item.crops for item in items]).to(device)).points.cpu().numpy())
            truth.append(torch.stack([item.landmarks for item in items]).numpy())
        truth_NK2 = np.concatenate(truth)
        known_NK = np.isfinite(truth_NK2).all(axis=-1)
        errors_NK = landmark_errors(
            np.concatenate(points), truth_NK2, normaliser(truth_NK2, faces.scheme), annotated_NK=known_NK
        )
        return {figure: 100 * float(np.nanmean(errors_NK, axis=1).mean())}

    return validate

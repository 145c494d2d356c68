"""The figure that a training on bodies is watched by: mean OKS or PCKh on held-back people, one plain crop each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from startrack.engines.base import ModelSpec
from startrack.tracker.cut import cut_each
from startrack.train.metrics.oks import oks
from startrack.train.metrics.pckh import head_errors, pckh_summary
from startrack.train.sets.body.bodies import Body, roi_of

BATCH = 32


def body_validation(
    bodies: Sequence[Body], spec: ModelSpec, deployed: Callable[[nn.Module], nn.Module]
) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate, in per cent: mean OKS of people whose area is known (COCO), else PCKh@0.5 (MPII), for which
    their heads must be.

    deployed: network → crops to points (B, K, 2).
    """

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        runnable = deployed(network).eval()
        points = np.concatenate(
            [_predict(runnable, device, bodies[start : start + BATCH], spec) for start in range(0, len(bodies), BATCH)]
        )
        if all(body.area > 0 for body in bodies):
            oks_values = [_oks(predicted, body) for predicted, body in zip(points, bodies, strict=True)]
            return {"validation_oks": 100 * float(np.mean(oks_values))}
        truth = np.stack([np.asarray(body.sample.landmarks, np.float64) for body in bodies])
        errors = head_errors(points, truth, np.array([body.head_size for body in bodies]))
        return {"validation_pckh": pckh_summary(errors).mean}

    return validate


def _predict(runnable: nn.Module, device: str, bodies: Sequence[Body], spec: ModelSpec) -> np.ndarray:
    """(B, K, 2) pixels of the stored pictures."""
    cut = cut_each(spec, ((body.sample.read_image(), roi_of(body.sample)) for body in bodies))
    return cut.points_back(runnable(torch.from_numpy(cut.crops).to(device)).points.cpu().numpy())


def _oks(points_K2: np.ndarray, body: Body) -> float:
    sample = body.sample
    return float(oks(points_K2[None], sample.landmarks, sample.annotated, body.area, box=sample.box)[0])

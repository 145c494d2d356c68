"""Errors of an eye model, eye by eye, and the figures that a training is watched by."""

# N eyes

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from startrack.engines.base import CropArray
from startrack.engines.eyes import EyeBatch
from startrack.train.feed.eye_dataset import EyeDataset, batches
from startrack.train.models.eye_net import DeployedEyes

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EyeErrors:
    """Errors of N eyes; NaN where the truth is not known."""

    iris_percent: Floats
    """(N,) distance of the iris's centre, % of the face's eye distance."""
    lids_percent: Floats
    """(N, 6) likewise of the lids' landmarks."""
    gaze_deg: Floats
    """(N,) angle between both directions."""
    radius_percent: Floats
    """(N,) signed, % of the true radius."""
    openness: Floats
    """(N,) signed."""
    squared: Floats
    """(N, 7) squared Mahalanobis distances of lids and iris under the stated covariances."""
    gaze_offset: Floats
    """(N, 3) stated less true direction, along the face's axes: those of a left eye's crop mirrored back."""
    gaze_spread: Floats
    """(N,) stated, radians."""
    gaze_squared: Floats
    """(N,) squared angle over the stated variance."""
    visible: Floats
    """(N,) stated probability."""
    truly_visible: Floats
    """(N,) 1 or 0."""
    true_openness: Floats
    """(N,)."""
    lids_seen: NDArray[np.bool_]
    """(N,) whether most of the lids' landmarks can be seen: nothing else covers the eye."""
    turn_deg: Floats
    """(N,) of the head; NaN of real faces."""
    glasses: NDArray[np.bool_]
    """(N,) whether the face wears some, as far as that is known."""


def read_errors(run: Callable[[CropArray], EyeBatch], data: EyeDataset) -> EyeErrors:
    """Errors of a model on all crops of a dataset."""
    rows: list[dict[str, Floats]] = []
    for eyes, item in batches(data):
        found = run(item.crops.numpy())
        truth = {name: value.numpy().astype(np.float64) for name, value in item._asdict().items()}
        points = np.concatenate([found.lids, found.iris[:, None]], axis=1).astype(np.float64)
        spreads = np.concatenate([found.lid_covariance, found.iris_covariance[:, None]], axis=1).astype(np.float64)
        away = np.where(truth["point_weight"][..., None] > 0, points - truth["points"], np.nan)
        percent = 100 * np.linalg.norm(away, axis=-1) / truth["eye_distance"][:, None]
        cosine = (np.asarray(found.gaze, np.float64) * truth["gaze"]).sum(axis=1)
        angle = np.where(truth["gaze_weight"] > 0, np.arccos(np.clip(cosine, -1, 1)), np.nan)
        (radius, visible, opened), (radius_weight, visible_weight, open_weight) = (
            truth["singles"].T,
            truth["single_weight"].T,
        )
        seen = visible > 0
        sides = np.array([-1.0 if eye.roi.mirrored else 1.0 for eye in eyes])
        rows.append(
            {
                "iris_percent": np.where(seen | (visible_weight == 0), percent[:, -1], np.nan),
                "lids_percent": percent[:, :-1],
                "gaze_deg": np.rad2deg(angle),
                "radius_percent": _known(100 * (found.iris_radius / np.maximum(radius, 1e-6) - 1), radius_weight),
                "openness": _known(found.openness - opened, open_weight),
                "squared": np.einsum("npi,npij,npj->np", away, np.linalg.inv(spreads), away),
                "gaze_offset": (found.gaze - truth["gaze"]) * np.stack([sides, sides**2, sides**2], axis=1),
                "gaze_spread": np.asarray(found.gaze_spread_rad, np.float64),
                "gaze_squared": (angle / np.asarray(found.gaze_spread_rad, np.float64)) ** 2,
                "visible": np.asarray(found.iris_visible, np.float64),
                "truly_visible": _known(visible, visible_weight),
                "true_openness": _known(opened, open_weight),
                "lids_seen": truth["point_weight"][:, 0] == 1,
                "turn_deg": np.array([eye.turn_deg for eye in eyes]),
                "glasses": np.array(["glasses" in eye.attributes for eye in eyes]),
            }
        )
    return EyeErrors(**{name: np.concatenate([row[name] for row in rows]) for name in rows[0]})


def _known(values: NDArray[np.floating], weight: Floats) -> Floats:
    return np.where(weight > 0, values, np.nan)


def torch_reader(network: nn.Module, device: str = "cpu") -> Callable[[CropArray], EyeBatch]:
    """A live network as a function of crops."""
    runnable = DeployedEyes(network).eval()

    @torch.inference_mode()
    def read(crops: CropArray) -> EyeBatch:
        return EyeBatch(*(value.float().cpu().numpy() for value in runnable(torch.from_numpy(crops).to(device))))

    return read


def eye_figures(errors: EyeErrors) -> dict[str, float]:
    """Medians of the errors, the share of eyes whose visibility is right at a half, and the mean error of openness."""
    known = np.isfinite(errors.truly_visible)
    right = (errors.visible[known] > 0.5) == (errors.truly_visible[known] > 0.5)
    return {
        "lids_percent": _median(errors.lids_percent),
        "iris_percent": _median(errors.iris_percent),
        "gaze_deg": _median(errors.gaze_deg),
        "openness": _mean(np.abs(errors.openness)),
        "radius_percent": _median(np.abs(errors.radius_percent)),
        "visible_right_percent": 100 * float(right.mean()) if known.any() else float("nan"),
    }


def eye_validation(sets: Mapping[str, EyeDataset]) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate: eye_figures of each named set of held-back faces, as far as they are known."""

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        read = torch_reader(network, device)
        found = {name: eye_figures(read_errors(read, data)) for name, data in sets.items()}
        return {f"{name}_{key}": value for name, each in found.items() for key, value in each.items() if value == value}

    return validate


def _median(values: Floats) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

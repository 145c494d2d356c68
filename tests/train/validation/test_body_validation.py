"""What a training on bodies is watched by: the crops of the evaluation, in the model's colours."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import crop_affine, cut_crop, transform_points
from startrack.train.sets.body import mpii
from startrack.train.sets.body.bodies import roi_of
from startrack.train.validation.body_validation import body_validation
from tests.train.made_bodies import make_mpii


class Points(NamedTuple):
    points: Tensor


class Knowing(nn.Module):
    """Says the true landmarks, off by `off` crop pixels along x; keeps the crops."""

    def __init__(self, truth: np.ndarray, off: float) -> None:
        super().__init__()
        self.truth, self.off = torch.from_numpy(truth), off
        self.seen: list[Tensor] = []

    def forward(self, crops: Tensor) -> Points:
        self.seen.append(crops)
        return Points(self.truth + torch.tensor([self.off, 0.0]))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_crops_and_figure(tmp_path: Path, order: str) -> None:
    bodies = mpii.load(make_mpii(tmp_path / "set"), "valid")
    spec = ModelSpec("tiny", "mpii_16", 16, 128, 32, 1.4, colour_order=order)
    affines = [crop_affine(roi_of(body.sample), 128) for body in bodies]
    truth = np.stack([transform_points(a, body.sample.landmarks) for a, body in zip(affines, bodies, strict=True)])
    perfect, far = Knowing(truth, 0), Knowing(truth, 1000)
    assert body_validation(bodies, spec, lambda network: perfect)(nn.Identity(), "cpu") == {"validation_pckh": 100.0}
    assert body_validation(bodies, spec, lambda network: far)(nn.Identity(), "cpu") == {"validation_pckh": 0.0}
    expected = cut_crop(bodies[0].sample.read_image(), affines[0], 128)
    np.testing.assert_array_equal(perfect.seen[0][0], expected if order == "rgb" else expected[..., ::-1])

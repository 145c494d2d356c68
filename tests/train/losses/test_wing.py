from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.train.losses.wing import wing, wing_loss


def test_by_hand() -> None:
    near, far = wing(torch.tensor([0.005**2, 0.5**2], dtype=torch.float64)).tolist()
    assert near == pytest.approx(0.01 * math.log(1 + 0.005 / 2))
    assert far == pytest.approx(0.5 - 0.01 + 0.01 * math.log(1 + 0.01 / 2))


def test_no_step_where_the_line_begins() -> None:
    around = torch.tensor([0.01 - 1e-9, 0.01 + 1e-9], dtype=torch.float64)
    below, above = wing(around.square()).tolist()
    assert above - below == pytest.approx(0, abs=3e-9)


def test_gradient_is_zero_at_zero() -> None:
    error = torch.zeros(1, 2, requires_grad=True)
    wing(error.square().sum(-1)).sum().backward()
    assert error.grad.tolist() == [[0.0, 0.0]]


@pytest.mark.data
def test_official_value_and_gradient(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "point_losses.npz") as file:
        output, target = (torch.from_numpy(file[key]) for key in ("output", "groundtruth"))
        leaf = output.clone().requires_grad_()
        loss = wing_loss(leaf, target)
        loss.backward()
        assert float(loss.detach()) == pytest.approx(float(file["wing_mean"]), rel=1e-5)
        np.testing.assert_allclose(leaf.grad, file["wing_grad"], atol=1e-5 * np.abs(file["wing_grad"]).max())

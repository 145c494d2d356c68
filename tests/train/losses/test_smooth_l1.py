from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.train.losses.smooth_l1 import smooth_l1, smooth_l1_loss


def test_by_hand() -> None:
    lengths = torch.tensor([0.0, 0.004, 0.01, 0.03, 5.0])
    # 0.004² / 0.02; from 0.01 on, the length less 0.005
    torch.testing.assert_close(smooth_l1(lengths.square()), torch.tensor([0.0, 0.0008, 0.005, 0.025, 4.995]))
    assert float(smooth_l1_loss(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2), 2.0)) == pytest.approx(4.0)


def test_gradient_is_finite_at_zero_and_one_far_away() -> None:
    error = torch.tensor([[0.0, 0.0], [0.3, 0.4]], requires_grad=True)
    smooth_l1(error.square().sum(-1)).sum().backward()
    torch.testing.assert_close(error.grad, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))


@pytest.mark.data
def test_official_values_and_gradients(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "point_losses.npz") as file:
        output, target = (torch.from_numpy(file[key]) for key in ("output", "groundtruth"))
        leaf = output.clone().requires_grad_()
        each = smooth_l1((leaf - target).square().sum(-1))
        each.sum().backward()
        np.testing.assert_allclose(each.detach(), file["smoothl1_none"], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(leaf.grad, file["smoothl1_grad_none"], rtol=1e-5, atol=1e-6)
        assert float(smooth_l1_loss(output, target)) == pytest.approx(float(file["smoothl1_mean"]), rel=1e-5)

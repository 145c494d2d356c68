from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from startrack.train.losses.awing import AdaptiveWingLoss

torch.set_num_threads(1)


def single(loss: AdaptiveWingLoss, distance: float, target: float) -> tuple[float, float]:
    """Loss and slope of one cell, in float64."""
    output = torch.full((1, 1, 1, 1), target + distance, dtype=torch.float64, requires_grad=True)
    value = loss(output, torch.full((1, 1, 1, 1), target, dtype=torch.float64))
    value.backward()
    return float(value.detach()), float(output.grad)


@pytest.mark.parametrize(
    ("target", "at_tenth", "slope_at_tenth"),
    [(0.0, 0.11077, 2.31692), (0.5, 0.34732, 5.48875), (1.0, 1.07010, 11.33248)],
)
def test_values_of_the_formula(target: float, at_tenth: float, slope_at_tenth: float) -> None:
    value, slope = single(AdaptiveWingLoss(weight=0), 0.1, target)
    assert value == pytest.approx(at_tenth, abs=1e-5)
    assert slope == pytest.approx(slope_at_tenth, abs=1e-5)
    assert single(AdaptiveWingLoss(weight=0), -0.1, target) == (pytest.approx(value), pytest.approx(-slope))


@pytest.mark.parametrize("target", [0.0, 0.3, 0.77, 1.0])
@pytest.mark.parametrize("epsilon", [1.0, 0.7])
def test_value_and_slope_have_no_step_at_theta(target: float, epsilon: float) -> None:
    loss = AdaptiveWingLoss(weight=0, epsilon=epsilon)
    below, above = single(loss, loss.theta - 1e-9, target), single(loss, loss.theta + 1e-9, target)
    assert above == pytest.approx(below, abs=1e-6)
    assert above[0] == pytest.approx(14 * math.log(1 + (0.5 / epsilon) ** (2.1 - target)), abs=1e-6)
    # from there on it is a line
    assert single(loss, 2.5, target)[1] == pytest.approx(above[1])


def test_exact_hit_costs_nothing_and_pulls_nowhere() -> None:
    for target in (0.0, 0.5, 1.0):
        assert single(AdaptiveWingLoss(), 0.0, target) == (0, 0)


def test_a_network_gone_wrong_is_not_hidden() -> None:
    """The trainer stops at a loss that is no number."""
    assert math.isnan(single(AdaptiveWingLoss(), math.nan, 0.5)[0])
    assert math.isinf(single(AdaptiveWingLoss(), math.inf, 0.5)[0])


def random_maps(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = F.max_pool2d(torch.rand(shape, generator=generator, dtype=torch.float64).pow(8), 3, 1, 1)
    return target + torch.randn(shape, generator=generator, dtype=torch.float64), target


def test_gradient_is_the_slope() -> None:
    output, target = random_maps((2, 2, 4, 5))
    assert torch.autograd.gradcheck(AdaptiveWingLoss(), (output.requires_grad_(), target))
    assert torch.autograd.gradcheck(AdaptiveWingLoss(epsilon=0.8, theta=0.4), (output, target))


def test_foreground_is_dilated_by_one_cell() -> None:
    target = torch.rand(2, 3, 17, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64).pow(30)
    expected = 1 + 10 * (F.max_pool2d(target, 3, 1, 1) >= 0.2).double()
    assert 0.1 < (expected == 1).double().mean() < 0.9
    torch.testing.assert_close(AdaptiveWingLoss().weight_map(target), expected)


def test_prepared_target_gives_the_same_for_every_output() -> None:
    loss = AdaptiveWingLoss()
    output, target = random_maps((1, 2, 8, 8))
    prepared = loss.prepare(target)
    for shift in (0.0, 0.4):
        torch.testing.assert_close(loss(output + shift, prepared), loss(output + shift, target))


def test_half_precision_outputs_are_compared_in_float32() -> None:
    output, target = (value.float() for value in random_maps((1, 2, 8, 8)))
    half = output.bfloat16().requires_grad_()
    loss = AdaptiveWingLoss()(half, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert half.grad.dtype == torch.bfloat16
    torch.testing.assert_close(loss, AdaptiveWingLoss()(half.detach().float(), target))


@pytest.mark.data
def test_star_code_values_and_gradients(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "awing_loss.npz") as file:
        output, target = (torch.from_numpy(file[key]) for key in ("output", "groundtruth"))
        np.testing.assert_array_equal(AdaptiveWingLoss().weight_map(target), file["weight_map"])
        for key, weight in (("weightmap", 10), ("noweight", 0)):
            loss = AdaptiveWingLoss(weight=weight)
            leaf = output.clone().requires_grad_()
            value = loss(leaf, target)
            value.backward()
            assert float(value.detach()) == pytest.approx(float(file[f"loss64_{key}"]), rel=1e-5)
            assert float(loss(output.double(), target.double())) == pytest.approx(
                float(file[f"loss64_{key}"]), rel=1e-10
            )
            gradient = file[f"grad_{key}"]
            assert np.abs(leaf.grad.numpy() - gradient).max() < 1e-5 * np.abs(gradient).max()
        each = [
            float(AdaptiveWingLoss()(output[b, c, None, None], target[b, c, None, None]))
            for b, c in np.ndindex(output.shape[:2])
        ]
        np.testing.assert_allclose(each, file["loss_permap_weightmap"].ravel(), rtol=5e-5, atol=1e-6)


@pytest.mark.data
def test_three_public_implementations(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "awing_loss.npz") as file:
        output, target = (torch.from_numpy(file[key]) for key in ("pred", "target"))
        for key, weight in (("map", 10), ("nomap", 0)):
            leaf = output.clone().requires_grad_()
            value = AdaptiveWingLoss(weight=weight)(leaf, target)
            value.backward()
            assert float(value.detach()) == pytest.approx(float(file[f"star_mean_{key}"]), rel=1e-5)
            gradient = file[f"star_grad_{key}"]
            np.testing.assert_allclose(leaf.grad, gradient, atol=1e-5 * np.abs(gradient).max())
        for number in range(4):
            alpha, omega, epsilon, theta = (float(value) for value in file[f"hp{number}"])
            leaf = output[:1].clone().requires_grad_()
            value = AdaptiveWingLoss(omega, theta, epsilon, alpha, weight=0)(leaf, target[:1])
            value.backward()
            assert float(value.detach()) == pytest.approx(float(file[f"hp{number}_mean"]), rel=1e-10)
            gradient = file[f"hp{number}_grad"]
            np.testing.assert_allclose(leaf.grad, gradient, atol=1e-5 * np.abs(gradient).max())
        for row, column in np.ndindex(file["grid_pred"].shape):
            found = single(
                AdaptiveWingLoss(weight=0),
                float(file["grid_pred"][row, column] - file["grid_target"][row, column]),
                float(file["grid_target"][row, column]),
            )
            assert found[0] == pytest.approx(float(file["grid_loss"][row, column]), abs=1e-9)
            assert found[1] == pytest.approx(float(file["grid_grad_star"][row, column]), rel=1e-5, abs=1e-5)

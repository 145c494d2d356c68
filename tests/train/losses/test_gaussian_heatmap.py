from __future__ import annotations

import math

import pytest
import torch

from startrack.train.feed.dataset import FaceBatch
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss, laplace_nll, smooth_distance
from startrack.train.models.compact_hourglass import HourglassOutput


def test_likelihood_by_hand() -> None:
    error = torch.tensor([[[3.0, 4.0]]])
    covariance = torch.tensor([[[2.0, 0.5, 1.0]]])
    inverse = torch.linalg.inv(torch.tensor([[2.0, 0.5], [0.5, 1.0]]))
    expected = 0.5 * math.log(1.75) + math.sqrt(3 * float(error[0, 0] @ inverse @ error[0, 0]) + 1e-4)
    assert float(laplace_nll(error, covariance)) == pytest.approx(expected, rel=1e-5)


def test_distance_is_a_length_rounded_off_at_zero() -> None:
    assert float(smooth_distance(torch.tensor([[[30.0, 40.0]]]), 0.1)) == pytest.approx(49.9, abs=1e-3)
    error = torch.zeros(1, 1, 2, requires_grad=True)
    smooth_distance(error, 0.1).sum().backward()
    assert error.grad is not None
    assert (error.grad == 0).all()


def _batch(presence: list[float], weight: list[float]) -> FaceBatch:
    count = len(presence)
    landmarks = torch.full((count, 3, 2), 10.0)
    return FaceBatch(torch.zeros(count, 32, 32, 3), landmarks, torch.tensor(presence), torch.tensor(weight))


def _output(count: int, stacks: int = 2) -> HourglassOutput:
    torch.manual_seed(0)
    logits = [torch.randn(count, 3, 8, 8, requires_grad=True) for _ in range(stacks)]
    return HourglassOutput(logits, torch.zeros(count, requires_grad=True))


def test_background_trains_presence_only_and_gradients_are_finite() -> None:
    output = _output(2)
    terms = GaussianHeatmapLoss(stride=4)(output, _batch([1.0, 0.0], [1.0, 0.0]))
    assert set(terms) == {"distance0", "nll0", "distance1", "nll1", "presence"}
    torch.stack(list(terms.values())).sum().backward()
    for logits in output.heatmap_logits:
        assert torch.isfinite(logits.grad).all()
        assert (logits.grad[1] == 0).all()
        assert (logits.grad[0] != 0).any()
    assert (output.presence_logit.grad != 0).all()


def test_earlier_stacks_count_half() -> None:
    output = _output(1)
    twice = HourglassOutput([output.heatmap_logits[0]] * 2, output.presence_logit)
    terms = {name: term.detach() for name, term in GaussianHeatmapLoss(stride=4)(twice, _batch([1.0], [1.0])).items()}
    assert float(terms["distance0"]) == pytest.approx(0.5 * float(terms["distance1"]))


def test_weights_shift_the_mean_and_a_batch_of_background_costs_no_distance() -> None:
    output = _output(2, stacks=1)
    loss = GaussianHeatmapLoss(stride=4)
    one = [
        loss(output, _batch([1.0, 1.0], weight))["distance0"].detach()
        for weight in ([1.0, 0.0], [0.0, 1.0], [1.0, 3.0])
    ]
    assert float(one[2]) == pytest.approx(0.25 * float(one[0]) + 0.75 * float(one[1]), rel=1e-5)
    assert float(loss(output, _batch([0.0, 0.0], [0.0, 0.0]))["distance0"].detach()) == 0


def test_loss_falls_to_the_landmark() -> None:
    logits = torch.zeros(1, 3, 8, 8, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.2)
    loss, batch = GaussianHeatmapLoss(stride=4), _batch([1.0], [1.0])
    for _ in range(200):
        terms = loss(HourglassOutput([logits], torch.zeros(1)), batch)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    assert float(terms["distance0"].detach()) < 0.02

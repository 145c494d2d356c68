from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from startrack.train.feed.teacher import DistillationBatch
from startrack.train.losses.distillation import DistillationLoss, covariance_divergence
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.models.compact_hourglass import HourglassOutput


def matrix(xx: float, xy: float, yy: float) -> torch.Tensor:
    return torch.tensor([[xx, xy], [xy, yy]])


def test_divergence_is_that_of_two_normal_distributions() -> None:
    teacher, own = matrix(2.0, 0.7, 1.0), matrix(1.5, -0.3, 3.0)
    zero = torch.zeros(2)
    expected = kl_divergence(MultivariateNormal(zero, teacher), MultivariateNormal(zero, own))
    found = covariance_divergence(teacher[None, None], torch.tensor([[[1.5, -0.3, 3.0]]]))
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    same = covariance_divergence(teacher[None, None], torch.tensor([[[2.0, 0.7, 1.0]]]))
    assert float(same) == pytest.approx(0, abs=1e-6)


def _output(count: int) -> HourglassOutput:
    torch.manual_seed(0)
    logits = [torch.randn(count, 3, 8, 8, requires_grad=True) for _ in range(2)]
    return HourglassOutput(logits, torch.zeros(count, requires_grad=True))


def _batch(presence: list[float], weight: list[float]) -> DistillationBatch:
    count = len(presence)
    covariance = (16.0 * torch.eye(2)).expand(count, 3, 2, 2)
    teacher = torch.full((count, 3, 2), 20.0)
    truth = torch.full((count, 3, 2), 10.0)
    return DistillationBatch(
        torch.zeros(count, 32, 32, 3), truth, torch.tensor(presence), torch.tensor(weight), teacher, covariance
    )


def test_true_landmarks_count_as_without_a_teacher() -> None:
    output, batch = _output(3), _batch([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    terms, alone = DistillationLoss(stride=4)(output, batch), GaussianHeatmapLoss(stride=4)(output, batch)
    assert {name: terms[name] for name in alone} == alone
    assert set(terms) - set(alone) == {"teacher_mean0", "teacher_spread0", "teacher_mean1", "teacher_spread1"}


def test_a_face_without_landmarks_learns_from_the_teacher_and_a_background_does_not() -> None:
    output = _output(2)
    terms = DistillationLoss(stride=4)(output, _batch([1.0, 0.0], [0.0, 0.0]))
    assert float(terms["distance1"].detach()) == 0
    torch.stack(list(terms.values())).sum().backward()
    for logits in output.heatmap_logits:
        assert torch.isfinite(logits.grad).all()
        assert (logits.grad[0] != 0).any()
        assert (logits.grad[1] == 0).all()


def test_the_student_comes_to_the_teachers_mean_and_spread() -> None:
    output, batch = _output(1), _batch([1.0], [0.0])
    loss = DistillationLoss(stride=4)
    optimiser = torch.optim.Adam(output.heatmap_logits, lr=0.1)
    for _ in range(600):
        optimiser.zero_grad()
        torch.stack(list(loss(output, batch).values())).sum().backward()
        optimiser.step()
    found = loss.truth.moments(output.heatmap_logits[-1])
    assert torch.allclose(found.points, torch.tensor(20.0), atol=0.1)
    assert torch.allclose(found.covariance[..., 0], torch.tensor(16.0), rtol=0.1)
    assert torch.allclose(found.covariance[..., 2], torch.tensor(16.0), rtol=0.1)

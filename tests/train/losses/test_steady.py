from __future__ import annotations

import pytest
import torch

from startrack.train.feed.two_views import TwoViews
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.losses.steady import SteadyLoss
from startrack.train.models.compact_hourglass import CompactHourglass, HourglassOutput

STRIDE = 4
TURN = torch.tensor([[0.0, -1.0, 60.0], [1.0, 0.0, 2.0]])


def _views(motion: torch.Tensor, presence: list[float]) -> TwoViews:
    count = len(presence)
    return TwoViews(
        torch.zeros(count, 2, 32, 32, 3, dtype=torch.uint8),
        torch.full((count, 2, 3, 2), 12.0),
        torch.tensor(presence),
        torch.tensor(presence),
        motion.expand(count, 2, 3),
    )


def test_what_moved_with_the_face_is_steady_and_what_else_moved_is_its_distance() -> None:
    loss = SteadyLoss(STRIDE, bend=1e-6)
    first = torch.tensor([[3.0, 4.0], [20.0, 7.0], [9.0, 31.0]])
    second = first @ TURN[:, :2].T + TURN[:, 2]
    batch = _views(TURN, [1.0, 1.0])
    points = torch.stack([first, second, first, second])
    assert float(loss.between_views(points, batch)) == pytest.approx(0, abs=1e-5)
    points[3, 1] += torch.tensor([3.0, -4.0])
    # 5 pixels are 1.25 cells, of one landmark of six
    assert float(loss.between_views(points, batch)) == pytest.approx(1.25 / 6, abs=1e-5)
    # which counts whole where the other item has no face, and nothing where its own has none
    assert float(loss.between_views(points, _views(TURN, [0.0, 1.0]))) == pytest.approx(1.25 / 3, abs=1e-5)
    assert float(loss.between_views(points, _views(TURN, [1.0, 0.0]))) == pytest.approx(0, abs=1e-5)


def test_both_views_are_compared_with_their_true_landmarks() -> None:
    torch.manual_seed(0)
    batch = _views(TURN, [1.0, 0.0])
    output = HourglassOutput([torch.randn(4, 3, 8, 8) for _ in range(2)], torch.randn(4))
    terms, alone = SteadyLoss(STRIDE)(output, batch), GaussianHeatmapLoss(STRIDE)(output, batch.as_faces())
    assert {name: terms[name] for name in alone} == alone
    assert set(terms) - set(alone) == {"unsteady"}


def test_the_network_takes_views_as_crops_in_turn() -> None:
    torch.manual_seed(0)
    network = CompactHourglass(3, inner=0.5).eval()
    crops = torch.randint(0, 255, (2, 2, 64, 64, 3), dtype=torch.uint8)
    views, flat = network(crops), network(crops.flatten(0, 1))
    assert torch.equal(views.presence_logit, flat.presence_logit)
    assert torch.equal(views.heatmap_logits[-1], flat.heatmap_logits[-1])


def test_a_step_towards_the_loss_makes_readings_agree() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 3, 8, 8, requires_grad=True)
    identity = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    loss, batch = SteadyLoss(STRIDE), _views(identity, [1.0, 1.0])
    before = loss.between_views(loss.truth.moments(logits).points, batch)
    (slope,) = torch.autograd.grad(before, logits)
    logits = logits.detach() - 2 * slope
    assert float(loss.between_views(loss.truth.moments(logits).points, batch)) < 0.9 * float(before.detach())

"""Eyes as a training sees them: items in the crop's pixels, a loss that finds the truth, a network that learns it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from startrack.tracker.eyes.crop import EYES
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.eye_dataset import EyeChanges, EyeDataset, EyeItem, batches
from startrack.train.losses.eyes import EyeLoss
from startrack.train.models.eye_net import LOGS, POINTS, SPREAD, EyeNet, EyeOutput, covariance
from startrack.train.recipes.eyes import EYE_SPEC, FOLLOWED, eyes
from startrack.train.sets.eyes.eye_truth import EyeTruth, FaceEyes
from startrack.train.sets.sample import Sample
from startrack.train.validation.eye_calibration import calibrate, coverage
from startrack.train.validation.eye_validation import eye_figures, read_errors, torch_reader


def drawn_face(path: Path, rng: np.random.Generator) -> FaceEyes:
    """A face of two drawn eyes, each with a dark iris somewhere between its lids."""
    image = np.full((160, 200, 3), 170, np.uint8)
    points = np.zeros((68, 2))
    truths = []
    for side, eye in zip((-1, 1), EYES, strict=True):
        shape = np.array([[50, 0], [42, -7], [28, -7], [20, 0], [28, 7], [42, 7]]) * [side, 1] + [100, 70]
        points[list(eye)] = shape
        iris = np.array([100 + 35 * side, 70]) + rng.uniform(-6, 6, 2) * [1, 0.3]
        cv2.fillPoly(image, [shape.round().astype(np.int32)], (240, 240, 240))
        cv2.circle(image, tuple(iris.round().astype(int).tolist()), 5, (40, 20, 10), -1)
        gaze = np.array([(iris[0] - 100 - 35 * side) / 12, 0.0, 0.0])
        gaze[2] = -math.sqrt(1 - gaze[0] ** 2)
        truths.append(EyeTruth(shape, iris.round(), 5.0, 1.0, 1.0, gaze))
    points[[48, 54]] = [[75, 130], [125, 130]]
    cv2.imwrite(str(path), image[..., ::-1])
    return FaceEyes(Sample(path, points, "drawn", attributes=("glasses",)), truths[0], truths[1], 10.0, "rendered")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[FaceEyes]:
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("eyes")
    return [drawn_face(folder / f"{number}.png", rng) for number in range(12)]


def stacked(data: EyeDataset) -> EyeItem:
    ((_, item),) = batches(data)
    return item


def test_truths_follow_their_crop(faces: list[FaceEyes]) -> None:
    data = EyeDataset(faces, EYE_SPEC, changes=EyeChanges())
    for number in range(len(data)):
        plain = EyeDataset(faces[number // 2 : number // 2 + 1], EYE_SPEC, changes=None)[ItemKey(0, number % 2)]
        assert torch.allclose((plain.points[0] + plain.points[3]) / 2, torch.tensor([31.5, 23.5]), atol=0.5)
        x, y = plain.points[6].round().int().tolist()
        assert plain.crops[y, x].float().mean() < 90, "the iris is dark"
        assert float(plain.eye_distance) == pytest.approx(64 / 1.8 * 100 / 30, rel=0.02)
        item = data[ItemKey(1, number)]
        assert torch.equal(item.crops, data[ItemKey(1, number)].crops)
        assert not torch.equal(item.crops, data[ItemKey(2, number)].crops)


def test_kinds_are_repeated_and_eyes_made_up(faces: list[FaceEyes]) -> None:
    repeated = EyeDataset(faces[:3], EYE_SPEC, changes=None, repeat={"rendered": 2, "glasses": 3, "real": 7})
    assert len(repeated) == 3 * 2 * 2 * 3
    plain, painted = (
        EyeDataset(faces, EYE_SPEC, changes=replace(FOLLOWED, make_up=share))[ItemKey(0, 0)] for share in (0.0, 1.0)
    )
    assert painted.crops.float().mean() < plain.crops.float().mean() - 2


def test_what_is_not_known_weighs_nothing(faces: list[FaceEyes]) -> None:
    only_lids = FaceEyes(faces[0].sample, EyeTruth(faces[0].right.lids), EyeTruth(faces[0].left.lids, lid_weight=0.0))
    item = stacked(EyeDataset([only_lids], EYE_SPEC, changes=None))
    assert item.point_weight.tolist() == [[1.0] * 6 + [0.0], [0.0] * 7]
    assert not item.single_weight.any()
    assert not item.gaze_weight.any()
    assert torch.isfinite(item.points).all()
    net = EyeNet(64, 48, stem=4, widths=(8, 8, 8), inner=4, hidden=8)
    terms = EyeLoss()(net(item.crops), item)
    assert all(math.isfinite(float(value.detach())) for value in terms.values())
    assert float(terms["gaze"].detach()) == float(terms["visible"].detach()) == 0.0


def test_a_spread_is_best_where_it_is_the_errors_own() -> None:
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(4000, POINTS, 2, generator=generator) * torch.tensor([2.0, 0.5])
    item = stacked_like(len(away))._replace(points=torch.zeros_like(away))
    losses = {
        (a, b): float(EyeLoss()(output_of(away, math.log(a), math.log(b)), item)["spread"])
        for a in (1.0, 2.0, 4.0)
        for b in (0.25, 0.5, 1.0)
    }
    assert min(losses, key=losses.__getitem__) == (2.0, 0.5)


def stacked_like(count: int) -> EyeItem:
    zeros = torch.zeros
    return EyeItem(
        zeros(count, 48, 64, 3, dtype=torch.uint8), zeros(count, 7, 2), torch.ones(count, 7), zeros(count, 3),
        zeros(count, 3), zeros(count, 3), zeros(count), torch.ones(count),
    )  # fmt: skip


def output_of(points: torch.Tensor, log_a: float, log_b: float) -> EyeOutput:
    count = len(points)
    logs = torch.zeros(count, LOGS)
    logs[:, :POINTS], logs[:, POINTS:SPREAD] = log_a, log_b
    return EyeOutput(points, logs, torch.zeros(count, POINTS), torch.zeros(count, 2), torch.tensor([[0.0, 0, -1]]))


def test_a_covariance_is_its_factors_product() -> None:
    a, b, c = torch.tensor([2.0]), torch.tensor([3.0]), torch.tensor([0.5])
    factor = torch.tensor([[2.0, 0.0], [1.5, 3.0]])
    assert torch.allclose(covariance(a, b, c)[0], factor @ factor.T)


def test_a_small_network_learns_drawn_eyes_and_its_spreads_are_made_honest(faces: list[FaceEyes]) -> None:
    torch.manual_seed(0)
    data = EyeDataset(faces, EYE_SPEC, changes=None)
    item, loss = stacked(data), EyeLoss()
    net = EyeNet(64, 48, stem=8, widths=(8, 12, 16), inner=8, hidden=24)
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    before = eye_figures(read_errors(torch_reader(net), data))
    for _ in range(60):
        optimiser.zero_grad()
        torch.stack(list(loss(net.train()(item.crops), item).values())).sum().backward()
        optimiser.step()
    errors = read_errors(torch_reader(net), data)
    after = eye_figures(errors)
    assert after["lids_percent"] < 0.25 * before["lids_percent"]
    assert after["iris_percent"] < 0.5 * before["iris_percent"]
    calibrate(net, [errors])
    honest = coverage(read_errors(torch_reader(net), data).squared)
    assert 25 < honest["50%"] < 75


def test_the_recipe_trains_from_renders_alone(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"no series\.json"):
        eyes(tmp_path)

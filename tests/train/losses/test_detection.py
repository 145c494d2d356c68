from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from startrack.train.losses.detection import DetectionLoss, assign, make_cells, quality_focal, square_overlap
from startrack.train.models.face_detector import DetectorOutput, FaceDetector

STRIDES = (8, 16, 32)
CPU = torch.device("cpu")


def squares(*rows: tuple[float, float, float]) -> torch.Tensor:
    padded = torch.zeros(1, 4, 3)
    for index, row in enumerate(rows):
        padded[0, index] = torch.tensor(row)
    return padded


def test_cells_of_all_maps() -> None:
    cells = make_cells(64, 96, STRIDES, CPU)
    assert len(cells.centres) == 8 * 12 + 4 * 6 + 2 * 3
    assert cells.centres[0].tolist() == [3.5, 3.5]
    assert cells.centres[12].tolist() == [3.5, 11.5]
    assert cells.centres[-1].tolist() == [79.5, 47.5]
    assert (cells.low[0], cells.high[-1]) == (0, float("inf"))


def test_overlap_by_hand() -> None:
    first = torch.tensor([[0.0, 0, 2], [0, 0, 2], [0, 0, 2]])
    second = torch.tensor([[0.0, 0, 2], [1, 0, 2], [4, 0, 2]])
    iou, giou = square_overlap(first, second)
    assert iou.tolist() == pytest.approx([1, 1 / 3, 0])
    # hulls 4, 6, 12; unions 4, 6, 8
    assert giou.tolist() == pytest.approx([1, 1 / 3, -1 / 3])


@pytest.mark.parametrize(
    ("side", "strides"), [(12.0, {8}), (30.0, {8}), (48.0, {8, 16}), (70.0, {16}), (100.0, {16, 32}), (220.0, {32})]
)
def test_each_size_has_its_maps(side: float, strides: set[int]) -> None:
    cells = make_cells(256, 256, STRIDES, CPU)
    assigned = assign(cells, squares((100, 130, side)), torch.zeros(1, 2, 3))
    assert {int(stride) for stride in cells.strides[assigned.positive[0]]} == strides
    near = (cells.centres[assigned.positive[0]] - torch.tensor([100.0, 130])).abs().amax(dim=1)
    assert (near <= 1.5 * cells.strides[assigned.positive[0]]).all()


def test_every_place_of_a_small_face_has_a_cell() -> None:
    cells = make_cells(64, 64, STRIDES, CPU)
    for x in range(20, 36):
        assigned = assign(cells, squares((x, 31.0, 11)), torch.zeros(1, 2, 3))
        assert assigned.positive.any()


def test_the_smaller_of_two_faces_wins_and_ignored_cells_are_unknown() -> None:
    cells = make_cells(128, 128, STRIDES, CPU)
    both = assign(cells, squares((64, 64, 50), (66, 64, 20)), torch.tensor([[[20.0, 20, 30], [0, 0, 0]]]))
    contested = both.positive[0] & ((cells.centres - torch.tensor([66.0, 64])).abs().amax(dim=1) <= 6)
    small = contested & (cells.strides == 8)
    assert small.any()
    assert (both.face[0, small] == 1).all()
    inside = (cells.centres - 20).abs().amax(dim=1) <= 15
    assert not both.negative[0, inside].any()
    assert (both.negative[0] | both.positive[0])[~inside].all()


def test_quality_focal_by_hand() -> None:
    # at logit 0 the score is 1/2: |1 - 1/2|² ln 2
    value = quality_focal(torch.zeros(2), torch.tensor([1.0, 0.5]), 2.0)
    assert value.tolist() == pytest.approx([0.25 * math.log(2), 0])


def perfect(truth: torch.Tensor, eyes: torch.Tensor) -> DetectorOutput:
    """What a perfect network would say of one face."""
    cells = make_cells(64, 64, STRIDES, CPU)
    assigned = assign(cells, truth, torch.zeros(1, 2, 3))
    logits = torch.where(assigned.positive, 20.0, -20.0)
    count = logits.shape[1]
    return DetectorOutput(logits, truth[:, :1].expand(1, count, 3), eyes[:, :1].expand(1, count, 2, 2))


def test_a_perfect_network_has_no_loss_and_unknown_eyes_none() -> None:
    truth, eyes = squares((30, 30, 20)), torch.full((1, 4, 2, 2), 25.0)
    batch = SimpleNamespace(pictures=torch.zeros(1, 64, 64, 3), squares=truth, eyes=eyes, ignored=torch.zeros(1, 2, 3))
    loss = DetectionLoss(STRIDES)
    assert sum(loss(perfect(truth, eyes), batch).values()).item() == pytest.approx(0, abs=1e-5)
    wrong = perfect(truth, eyes + 2)
    assert loss(wrong, batch)["eyes"].item() > 0.1
    batch.eyes = torch.full((1, 4, 2, 2), float("nan"))
    assert loss(wrong, batch)["eyes"].item() == 0


def test_pictures_without_faces_train_too() -> None:
    torch.manual_seed(0)
    # torch 2.13.0 crashes in the backward pass of four channels on processors without AVX-512 (seen on an AMD EPYC)
    network = FaceDetector(stem=(8, 8), widths=(8, 8, 8), depths=(1, 1, 1), neck=8)
    pictures = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    batch = SimpleNamespace(
        pictures=pictures, squares=torch.zeros(2, 4, 3), eyes=torch.full((2, 4, 2, 2), float("nan")),
        ignored=torch.zeros(2, 2, 3),
    )  # fmt: skip
    total = sum(DetectionLoss(STRIDES)(network(pictures), batch).values())
    total.backward()
    assert total.isfinite()
    assert all(value.grad is None or value.grad.isfinite().all() for value in network.parameters())

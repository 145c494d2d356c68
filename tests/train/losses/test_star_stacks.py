from __future__ import annotations

import pytest
import torch

from startrack.train.feed.star_batch import StarBatch
from startrack.train.losses.awing import AdaptiveWingLoss
from startrack.train.losses.star import StarLoss
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.models.star_hourglass import StarOutput

torch.set_num_threads(1)


def made(stacks: int, *, attention: bool = True) -> tuple[StarOutput, StarBatch]:
    generator = torch.Generator().manual_seed(0)
    heatmaps, points, edges = (
        [torch.rand(2, maps, 8, 8, generator=generator) for _ in range(stacks)] for maps in (3, 3, 2)
    )
    output = StarOutput(heatmaps, points if attention else [], edges if attention else [])
    maps = (torch.rand(2, maps, 8, 8, generator=generator) for maps in (3, 2))
    crops, landmarks = torch.zeros(2, 32, 32, 3, dtype=torch.uint8), torch.rand(2, 3, 2, generator=generator) * 2 - 1
    return output, StarBatch(crops, landmarks, *maps, torch.ones(2))


def test_twelve_terms_of_four_stacks() -> None:
    output, targets = made(4)
    terms = StackedStarLoss()(output, targets)
    assert len(terms) == 12
    for stack, factor in enumerate((0.125, 0.25, 0.5, 1.0)):
        star = StarLoss()(output.heatmaps[stack], targets.landmarks)
        points = AdaptiveWingLoss()(output.point_maps[stack], targets.point_maps)
        edges = AdaptiveWingLoss()(output.edge_maps[stack], targets.edge_maps)
        assert float(terms[f"star{stack}"]) == pytest.approx(factor * float(star))
        assert float(terms[f"points{stack}"]) == pytest.approx(10 * factor * float(points))
        assert float(terms[f"edges{stack}"]) == pytest.approx(10 * factor * float(edges))


def test_without_attention_only_the_heatmaps_count() -> None:
    output, targets = made(2, attention=False)
    assert list(StackedStarLoss()(output, targets)) == ["star0", "star1"]


def test_parts_can_be_replaced() -> None:
    output, targets = made(1)
    loss = StackedStarLoss(heatmaps=StarLoss("l1", "detached"), maps=AdaptiveWingLoss(weight=0), maps_weight=1.0)
    expected = StarLoss("l1", "detached")(output.heatmaps[0], targets.landmarks)
    torch.testing.assert_close(loss(output, targets)["star0"], expected)


def face(output: StarOutput, targets: StarBatch, number: int) -> tuple[StarOutput, StarBatch]:
    part = slice(number, number + 1)
    return StarOutput(*([maps[part] for maps in stack] for stack in output)), StarBatch(*(v[part] for v in targets))


def test_a_face_of_a_tenth_of_the_weight_counts_a_tenth() -> None:
    output, targets = made(2)
    loss = StackedStarLoss()
    first, second = (loss(*face(output, targets, number)) for number in range(2))
    weighted = loss(output, targets._replace(weight=torch.tensor([1.0, 0.1])))
    for name, term in weighted.items():
        assert float(term) == pytest.approx(float(first[name] + 0.1 * second[name]) / 2)
    plain = loss(output, targets)
    assert {name: float(term) for name, term in plain.items()} == {
        name: pytest.approx(float(first[name] + second[name]) / 2) for name in plain
    }

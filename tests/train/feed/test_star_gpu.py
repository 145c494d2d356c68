"""STAR on a GPU: the same batches, losses and gradients as on the CPU, and a training that stays finite.

Nothing here needs the other tests' fixtures: `python -m pytest -m gpu --noconftest tests/train/feed/test_star_gpu.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.augment.batch_draws import draw_augmentation
from startrack.train.augment.batch_random import sample_keys
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.star_batch import StarBatch
from startrack.train.feed.star_batches import KeyBatch, StarBatches
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.models.star_hourglass import StarHourglass, StarOutput
from startrack.train.packs.packed_faces import PackedFaces

pytestmark = pytest.mark.gpu

DEVICE = "cuda"
SCHEMES = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}


def made_faces(scheme: LandmarkScheme, count: int = 16) -> PackedFaces:
    """Smooth pictures; each edge of the scheme is a ring or an arch somewhere in them."""
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(60, 140, (count, scheme.num_landmarks, 2))
    for face in landmarks:
        for edge in scheme.edges:
            turn = np.linspace(0, 2 * np.pi if edge.closed else np.pi, len(edge.indices), endpoint=not edge.closed)
            ring = np.stack([np.cos(turn), np.sin(turn) / 2], -1) * rng.uniform(8, 40) + rng.uniform(70, 130, 2)
            face[list(edge.indices)] = ring
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, 3, 25, 25)))
    pictures = nn.functional.interpolate(coarse, size=(200, 200), mode="bilinear").permute(0, 2, 3, 1)
    return PackedFaces(
        scheme=scheme,
        pictures=pictures.to(torch.uint8).contiguous(),
        landmarks=torch.from_numpy(landmarks),
        zooms=torch.ones(count).double(),
        weights=torch.linspace(0.5, 1, count),
        names=tuple(map(str, range(count))),
        subsets=("made",) * count,
    )


def batches(scheme: LandmarkScheme, crop_size: int = 256, count: int = 16) -> StarBatches:
    faces = made_faces(scheme, count)
    return StarBatches(faces, crop_scale=1.25, augmentation=StarAugmentation(), crop_size=crop_size)


def keys(count: int, epoch: int = 1, device: str = "cpu") -> KeyBatch:
    return KeyBatch(torch.full((count,), epoch, device=device), torch.arange(count, device=device))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_batches_are_those_of_the_cpu(scheme: LandmarkScheme) -> None:
    here, there = (batches(scheme).prepare(keys(16, device=device), device) for device in ("cpu", DEVICE))
    assert {value.device.type for value in there} == {torch.device(DEVICE).type}
    there = StarBatch(*(value.cpu() for value in there))
    torch.testing.assert_close(there.landmarks, here.landmarks, atol=1e-6, rtol=0)
    assert torch.equal(there.weight, here.weight)
    # a landmark or a curve's point on a rounding border to the last bit may fall to either side
    for name, share in (("point_maps", 1e-4), ("edge_maps", 1e-4)):
        difference = (getattr(there, name) - getattr(here, name)).abs()
        assert (difference > 1e-6).double().mean() < share, name
    levels = (there.crops.int() - here.crops.int()).abs().double()
    assert levels.mean() < 0.05
    assert (levels > 1).double().mean() < 1e-3


def test_draws_are_those_of_the_cpu() -> None:
    here, there = (
        draw_augmentation(sample_keys(*keys(200, device=device), 3), StarAugmentation(), 16)
        for device in ("cpu", DEVICE)
    )
    for name in here.__slots__:
        mine, other = getattr(here, name), getattr(there, name).cpu()
        # normal draws go through the device's own logarithm and cosine
        exact = name not in ("shifts", "angles_rad", "scales")
        torch.testing.assert_close(other, mine, rtol=0, atol=0 if exact else 1e-12, msg=name)


def test_the_host_waits_for_nothing() -> None:
    made = batches(IBUG_68)
    made.prepare(keys(16, device=DEVICE), DEVICE)
    asked = keys(16, epoch=2, device=DEVICE)
    torch.cuda.set_sync_debug_mode("error")
    try:
        made.prepare(asked, DEVICE)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def output_like(batch: StarBatch, stacks: int = 4) -> StarOutput:
    """What a network in training might say: the targets blurred by noise."""
    generator = torch.Generator().manual_seed(0)

    def near(maps: Tensor) -> list[Tensor]:
        return [0.7 * maps + 0.3 * torch.rand(maps.shape, generator=generator) for _ in range(stacks)]

    return StarOutput(near(batch.point_maps), near(batch.point_maps), near(batch.edge_maps))


def loss_and_gradients(output: StarOutput, batch: StarBatch, device: str) -> tuple[Tensor, list[Tensor]]:
    leaves = [[maps.detach().to(device).requires_grad_() for maps in stack] for stack in output]
    terms = StackedStarLoss()(StarOutput(*leaves), StarBatch(*(value.to(device) for value in batch)))
    values = torch.stack(list(terms.values()))
    gradients = torch.autograd.grad(values.sum(), [maps for stack in leaves for maps in stack])
    return values.detach().cpu(), [gradient.cpu() for gradient in gradients]


@pytest.mark.parametrize("bfloat16", [False, True])
def test_losses_are_those_of_the_cpu(bfloat16: bool) -> None:
    """Under autocast too: maps in float32 are not rounded on their way through the losses."""
    batch = batches(IBUG_68).prepare(keys(8), "cpu")
    output = output_like(batch)
    expected, expected_gradients = loss_and_gradients(output, batch, "cpu")
    with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=bfloat16):
        values, gradients = loss_and_gradients(output, batch, DEVICE)
    torch.testing.assert_close(values, expected, rtol=2e-5, atol=1e-6)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5 * float(wanted.abs().max()))


def small_network(crop_size: int) -> StarHourglass:
    torch.manual_seed(0)
    edges = [edge.indices for edge in IBUG_68.edges]
    return StarHourglass(68, edges, stacks=2, channels=64, levels=3, input_size=crop_size)


def network_input(crops_BSS3: Tensor) -> Tensor:
    return (crops_BSS3.permute(0, 3, 1, 2).float() - 127.5) / 127.5


def test_a_network_in_bfloat16_has_nearly_the_loss_of_one_in_float32() -> None:
    batch = batches(IBUG_68, 128).prepare(keys(8), "cpu")
    network = small_network(128)
    exact = torch.stack(list(StackedStarLoss()(network(network_input(batch.crops)), batch).values())).sum()
    batch, network = StarBatch(*(value.to(DEVICE) for value in batch)), network.to(DEVICE)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        output = network(network_input(batch.crops))
    loss = torch.stack(list(StackedStarLoss()(output, batch).values())).sum()
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=0.03)
    loss.backward()
    gradients = [value.grad for value in network.parameters() if value.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_200_steps_stay_finite(bfloat16: bool) -> None:
    made, network = batches(IBUG_68, 128, count=64), small_network(128).to(DEVICE)
    optimiser, loss = torch.optim.Adam(network.parameters(), lr=1e-3), StackedStarLoss()
    losses = []
    for step in range(200):
        batch = made.prepare(KeyBatch(torch.full((16,), step), (torch.arange(16) + 16 * step) % 64), DEVICE)
        with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=bfloat16):
            output = network(network_input(batch.crops))
        total = torch.stack(list(loss(output, batch).values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert np.isfinite(losses).all()
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    assert np.mean(losses[-20:]) < np.mean(losses[:5])

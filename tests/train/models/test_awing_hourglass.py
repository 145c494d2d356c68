"""The Adaptive Wing network against the published code, and its parts by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.train.models.awing_hourglass import AwingHourglass, HierarchicalBlock, load_official, official_key
from tests.train.seeded_weights import read_keys, seeded_state


def small(**changes: int) -> AwingHourglass:
    torch.manual_seed(0)
    return AwingHourglass(5, **({"stacks": 2, "channels": 16, "levels": 2, "input_size": 64} | changes))


@pytest.mark.parametrize("stacks", [1, 2, 3])
def test_every_stack_gives_the_landmarks_and_the_boundary(stacks: int) -> None:
    output = small(stacks=stacks)(torch.rand(2, 3, 64, 64))
    assert [tuple(maps.shape) for maps in output.maps] == [(2, 6, 16, 16)] * stacks


def test_the_boundary_map_guides_the_next_stack_without_a_gradient() -> None:
    network = small()
    network.merge_maps[0].weight.data.zero_()
    network.merge_features[0].weight.data.zero_()
    network(torch.rand(2, 3, 64, 64)).maps[1].sum().backward()
    # with both merges cut, only the guide still connects the first stack to the second
    assert network.stacks[0].head.weight.grad is None or not network.stacks[0].head.weight.grad.any()
    network.stacks[0].head.weight.data.zero_()
    images, before = torch.rand(2, 3, 64, 64), []
    for height in (-1.0, 0.04, 0.06, 1.0):
        network.stacks[0].head.bias.data.fill_(height)
        network.merge_maps[0].bias.data.zero_()
        before.append(network.eval()(images).maps[1])
    torch.testing.assert_close(before[0], before[1])
    torch.testing.assert_close(before[2], before[3])
    assert (before[1] - before[2]).abs().max() > 1e-4


@pytest.mark.data
def test_official_block(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "awing_fan.npz") as file:
        state = {key[6:]: torch.from_numpy(file[key]) for key in file.files if key.startswith("cb_sd.")}
        x, y, gradient = (torch.from_numpy(file[key]) for key in ("cb_x", "cb_y", "cb_gx"))
    block = HierarchicalBlock(x.shape[1], y.shape[1]).eval()
    block.load_state_dict(state)
    found = block(x.requires_grad_())
    np.testing.assert_allclose(found.detach(), y, atol=1e-5 * float(y.abs().max()))
    found.square().sum().backward()
    np.testing.assert_allclose(x.grad, gradient, atol=1e-5 * float(gradient.abs().max()))


@pytest.mark.data
def test_official_network(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "awing_fan.npz") as file:
        arrays = {key: file[key] for key in file.files}
    keys, seed = read_keys(arrays["keys"]), int(arrays["seed"])
    network = AwingHourglass(98, stacks=2).eval()
    assert sum(value.numel() for value in network.parameters()) == arrays["n_params"]
    load_official(network, seeded_state(keys, seed))
    with torch.inference_mode():
        output = network.double()(torch.from_numpy(arrays["input_u8"]).double() / 255)
    for stack, maps in enumerate(output.maps):
        peak = np.abs(arrays[f"out{stack}_sub"]).max()
        np.testing.assert_allclose(maps[:, ::7, ::2, ::2], arrays[f"out{stack}_sub"], atol=1e-5 * peak)
        np.testing.assert_allclose(maps.mean((2, 3)), arrays[f"out{stack}_mean"], atol=1e-6 * peak)
        np.testing.assert_allclose(maps.abs().amax((2, 3)), arrays[f"out{stack}_absmax"], rtol=1e-5)
    boundary = output.maps[0][:, -1].clamp(0, 1).numpy()
    other = (boundary > 0.05) != (arrays["bmask1_u8"] > 0)
    assert (np.abs(boundary[other] - 0.05) < 1e-4).all()


@pytest.mark.data
@pytest.mark.parametrize("landmarks", [98, 68, 29, 19])
def test_official_number_of_weights(landmarks: int, parity_dir: Path) -> None:
    with torch.device("meta"), np.load(parity_dir / "awing_dehrnet" / "awing_fan.npz") as file:
        count = sum(value.numel() for value in AwingHourglass(landmarks).parameters())
        assert count == file[f"n_params_hg4_lm{landmarks}"]


def test_a_state_of_another_network_is_refused() -> None:
    network = AwingHourglass(5, stacks=1, channels=16, input_size=64)
    state = {official_key(key): value for key, value in network.state_dict().items()}
    assert {"m0.b2_plus_1.bn1.weight", "m0.b1_4.conv3.weight", "m0.b3_1.bn2.bias", "conv4.downsample.2.weight"} <= set(
        state
    )
    load_official(network, state)
    del state["l0.weight"]
    with pytest.raises(ValueError, match=r"l0\.weight"):
        load_official(network, state)

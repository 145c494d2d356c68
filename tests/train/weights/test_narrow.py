"""Weights of wider residual blocks as the start of narrower ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from startrack.engines.graphs.export import export_onnx
from startrack.train.models.compact_hourglass import CompactHourglass, Residual
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import compact_spec
from startrack.train.weights.checkpoint import save_weights
from startrack.train.weights.initialise import initialise
from startrack.train.weights.narrow import narrowed


def with_random_norms(network: torch.nn.Module) -> torch.nn.Module:
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.normal_(module.running_mean)
    return network.eval()


@pytest.fixture
def block() -> Residual:
    torch.manual_seed(0)
    block = with_random_norms(Residual(3, 6, stride=2))
    assert isinstance(block, Residual)
    return block


def narrow(block: Residual) -> Residual:
    small = Residual(3, 6, stride=2, inner=0.5).eval()
    states = {f"block.{name}": value for name, value in block.state_dict().items()}
    wanted = {f"block.{name}": value for name, value in small.state_dict().items()}
    small.load_state_dict({name.removeprefix("block."): value for name, value in narrowed(states, wanted).items()})
    return small


@pytest.mark.parametrize("idle", [(0, 1, 2), (1, 3, 5), (0, 4, 5)])
@pytest.mark.parametrize("where", ["not read", "not made"])
def test_channels_that_do_nothing_are_left_out(block: Residual, idle: tuple[int, ...], where: str) -> None:
    with torch.no_grad():
        if where == "not read":
            block.second[0].weight[:, idle] = 0
        else:
            block.first[1].weight[list(idle)] = 0
            block.first[1].bias[list(idle)] = 0
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(narrow(block)(x), block(x))


def test_the_strongest_stay_in_their_order(block: Residual) -> None:
    with torch.no_grad():
        for channel, strength in enumerate((1.0, 9.0, 2.0, 8.0, 7.0, 3.0)):
            for tensor in (block.first[0].weight[channel], block.second[0].weight[:, channel]):
                tensor.copy_(tensor / tensor.norm())
            block.first[1].weight[channel] = strength * block.first[1].running_var[channel].sqrt()
    small = narrow(block)
    for name in ("weight", "bias", "running_mean", "running_var"):
        expected = getattr(block.first[1], name)[[1, 3, 4]]
        torch.testing.assert_close(getattr(small.first[1], name), expected, rtol=0, atol=0)


def test_blocks_of_the_same_width_stay(block: Residual) -> None:
    state = block.state_dict()
    kept = narrowed(state, state)
    assert all(kept[name] is value for name, value in state.items())


def folded_kernel(pair: torch.nn.Module) -> torch.Tensor:
    """Of a convolution and its batch norm."""
    conv, norm = pair
    return conv.weight * (norm.weight / (norm.running_var + norm.eps).sqrt())[:, None, None, None]


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_a_network_starts_from_a_wider_one(suffix: str, tmp_path: Path) -> None:
    """All of it but the channels that are left out; from a model file, whose norms are folded, the same ones."""
    torch.manual_seed(0)
    spec = compact_spec("tiny", 64)
    wide = with_random_norms(CompactHourglass(68, widths=(8, 12, 12, 16), stem_width=8))
    if suffix == ".onnx":
        export_onnx(SoftmaxLandmarks(wide, spec), spec, tmp_path / "wide.onnx", half_weights=False)
    else:
        save_weights(tmp_path / "wide.safetensors", wide, spec)
    slim = CompactHourglass(68, widths=(8, 12, 12, 16), stem_width=8, inner=0.5)
    assert initialise(slim, tmp_path / f"wide{suffix}") == []
    own, given = slim.hourglasses[1].up[0], wide.hourglasses[1].up[0]
    apart = torch.cdist(*(folded_kernel(one.second).transpose(0, 1).flatten(1) for one in (own, given)))
    kept = apart.argmin(dim=1).tolist()
    assert kept == sorted(set(kept))
    assert len(kept) == 4
    assert apart.min(dim=1).values.max() < 1e-5
    assert torch.equal(slim.heads[1].weight, wide.heads[1].weight)

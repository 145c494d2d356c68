"""Detail enhancement as its formulas say, and DE-HRNet in every form that its paper leaves open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from startrack.train.models.de_hrnet import DeHRNet, DeHrnetChoices, Enhancement
from startrack.train.models.dem import DetailGate, DualDetailGate
from startrack.train.models.dysample import DySample
from startrack.train.models.hrnet import HRNet


def tiny(choices: DeHrnetChoices | None = None, **changes) -> DeHRNet:
    torch.manual_seed(0)
    arguments = {"width": 8, "modules": (1, 1, 2), "blocks": 1} | changes
    return DeHRNet(5, choices=choices, **arguments)


@pytest.mark.parametrize(
    "choices",
    [
        DeHrnetChoices(),
        DeHrnetChoices(placement="module"),
        DeHrnetChoices(joining="concat"),
        DeHrnetChoices(dynamic=True, groups=2),
        DeHrnetChoices(upsample_first=True),
        DeHrnetChoices(dropout_of="channels", bias=False, reduction=4),
    ],
)
@pytest.mark.parametrize("all_branches", [True, False])
def test_every_choice_gives_heatmaps_and_trains(choices: DeHrnetChoices, all_branches: bool) -> None:
    network = tiny(choices, all_branches=all_branches)
    (maps,) = network(torch.rand(2, 3, 64, 32)).maps
    assert maps.shape == (2, 5, 16, 8)
    maps.square().sum().backward()
    assert all(value.grad is not None for value in network.parameters())


def test_hrnet_weights_keep_their_names_and_their_sense() -> None:
    """With the gates shut and nothing learned, DE-HRNet is HRNet with bilinear in place of nearest interpolation."""
    network = tiny(DeHrnetChoices(start=-40.0), all_branches=True).eval()
    plain = HRNet(5, width=8, modules=(1, 1, 2), blocks=1, all_branches=True).eval()
    missing = network.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(".offset." in key or key.startswith("details.") for key in missing.missing_keys)
    for module in network.modules():
        if isinstance(module, DySample):
            nn.init.zeros_(module.offset.weight)
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(network(images).maps[0], plain(images).maps[0], rtol=1e-4, atol=1e-6)


def test_a_bridge_parts_its_channels_where_it_can() -> None:
    bridges = [module for module in tiny(width=18).modules() if isinstance(module, DySample)]
    assert {(each.offset.in_channels, each.groups) for each in bridges} == {(18, 2), (36, 4), (72, 4)}


@pytest.mark.parametrize(("width", "after", "before"), [(32, 126_080, 633_984), (48, 187_520, 949_376)])
def test_cost_of_dysample(width: int, after: int, before: int) -> None:
    with torch.device("meta"):
        for first, expected in ((False, after), (True, before)):
            network = DeHRNet(17, width=width, choices=DeHrnetChoices(upsample_first=first))
            layers = [module for module in network.modules() if isinstance(module, DySample)]
            assert len(layers) == 28
            assert sum(value.numel() for layer in layers for value in layer.parameters()) == expected


def test_cost_of_the_gates() -> None:
    gates = [DetailGate(channels) for channels in (32, 64, 128, 256)]
    assert [sum(value.numel() for value in gate.parameters()) for gate in gates] == [162, 580, 2184, 8464]


def test_branches_are_enhanced_as_they_came() -> None:
    layer = Enhancement([4, 8, 16], DeHrnetChoices(dropout=0.5)).eval()
    maps = [torch.rand(1, 4, 8, 8), torch.rand(1, 8, 4, 4), torch.rand(1, 16, 2, 2)]
    nn.init.ones_(layer[2].down[1].weight)
    found = layer(maps)
    torch.testing.assert_close(found[2], layer[2](maps[2], maps[1]))
    torch.testing.assert_close(found[0], layer[0](maps[0]))


@pytest.mark.data
def test_published_formulas(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "dem_from_formulas.npz") as file:
        a = {key: torch.from_numpy(file[key]) for key in file.files}
    channels, r = int(a["C"]), int(a["r"])
    gate, bare = (DetailGate(channels, reduction=r, bias=bias).double() for bias in (True, False))
    gate.load_state_dict(
        {"squeeze.weight": a["w1"], "squeeze.bias": a["b1"], "excite.weight": a["w2"], "excite.bias": a["b2"]}
    )
    bare.load_state_dict({"squeeze.weight": a["w1"], "excite.weight": a["w2"]})
    high = a["F_h"].requires_grad_()
    found = gate(high)
    np.testing.assert_allclose(gate.attention(high).detach(), a["sea"], atol=1e-12)
    np.testing.assert_allclose(found.detach(), a["dem_single"], atol=1e-12)
    np.testing.assert_allclose(bare(high).detach(), a["dem_single_nobias"], atol=1e-12)
    (found * a["dem_single_cot"]).sum().backward()
    np.testing.assert_allclose(high.grad, a["dem_single_gx"], atol=1e-12)
    # the vectors' two branches have one size already
    same = _without_its_own_bridge(DualDetailGate(channels, channels, gate=gate, dropout=nn.Dropout(0.3)))
    np.testing.assert_allclose(same(a["F_i"], high).detach(), a["dem_dual_sum_eval"], atol=1e-12)
    kept = a["drop_keep_mask"] / (1 - float(a["drop_p"]))
    same.dropout = Masked(kept)
    np.testing.assert_allclose(same(a["F_i"], high).detach(), a["dem_dual_sum_train_elementwise_mask"], atol=1e-12)
    wide = DetailGate(2 * channels, reduction=2 * channels // len(a["b1c"])).double()
    wide.load_state_dict(
        {"squeeze.weight": a["w1c"], "squeeze.bias": a["b1c"], "excite.weight": a["w2c"], "excite.bias": a["b2c"]}
    )
    both = DualDetailGate(channels, channels, joining="concat", gate=wide, dropout=nn.Identity())
    both = _without_its_own_bridge(both)
    both.back = nn.Identity()
    found = both(a["F_i"], high).detach()
    np.testing.assert_allclose(found, a["dem_dual_concat_eval"], atol=1e-12)


class Masked(nn.Module):
    def __init__(self, factor: torch.Tensor) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def _without_its_own_bridge(gate: DualDetailGate) -> DualDetailGate:
    gate.down = nn.Identity()
    return gate.double().eval()

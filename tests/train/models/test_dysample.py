"""DySample: at its start bilinear interpolation, and every form of the published code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from startrack.train.models.dysample import DySample


@pytest.mark.parametrize("style", ["lp", "pl"])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("dynamic", [True, False])
def test_without_offsets_it_is_bilinear(style: str, scale: int, dynamic: bool) -> None:
    x = torch.rand(2, 32, 5, 7)
    layer = DySample(32, scale, style=style, groups=4, dynamic=dynamic)
    torch.nn.init.zeros_(layer.offset.weight)
    expected = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=0)


def test_an_offset_moves_what_is_read() -> None:
    layer = DySample(4, 2, groups=1)
    torch.nn.init.zeros_(layer.offset.weight)
    with torch.no_grad():
        layer.offset.bias[:4] = 4.0  # x of the four sub-pixels: a quarter of 4 cells to the right
    columns = torch.arange(8.0).expand(1, 4, 6, 8)
    found = layer(columns)
    bilinear = F.interpolate(columns, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(found[..., 2:12], bilinear[..., 2:12] + 1)


def test_channels_that_cannot_be_parted_are_named() -> None:
    with pytest.raises(ValueError, match="18 channels cannot be parted; expected a multiple of 4 groups"):
        DySample(18)
    with pytest.raises(ValueError, match="scale² = 64"):
        DySample(32, 8, style="pl")


@pytest.mark.data
@pytest.mark.parametrize("number", range(32))
def test_official_code(number: int, parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "dysample.npz") as file:
        case = json.loads(bytes(file["meta"]).decode())[number]
        prefix = f"{case['i']}_"
        arrays = {key[len(prefix) :]: torch.from_numpy(file[key]) for key in file.files if key.startswith(prefix)}
    layer = DySample(case["C"], case["scale"], style=case["style"], groups=case["groups"], dynamic=case["dyscope"])
    state = {key[3:]: value for key, value in arrays.items() if key.startswith("sd.")}
    torch.testing.assert_close(layer.init_pos, state.pop("init_pos"))
    layer.load_state_dict(state, strict=True)
    x = arrays["x"].requires_grad_()
    found = layer(x)
    np.testing.assert_allclose(found.detach(), arrays["y"], atol=3e-5 * max(1.0, float(arrays["y"].abs().max())))
    (found * arrays["cot"]).sum().backward()
    for value, name in ((x, "gx"), (layer.offset.weight, "g_offset_w")):
        np.testing.assert_allclose(value.grad, arrays[name], atol=2e-4 * float(arrays[name].abs().max()))
    if layer.scope is not None and "g_scope_w" in arrays:
        expected = arrays["g_scope_w"]
        np.testing.assert_allclose(
            layer.scope.weight.grad, expected, atol=2e-4 * max(float(expected.abs().max()), 1e-3)
        )

"""HRNet in both forms: shapes, names, and the published networks with stored and with seeded weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.train.models.hrnet import HRNet
from tests.train.seeded_weights import read_keys, seeded_state

MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)


@pytest.mark.parametrize("all_branches", [True, False])
def test_heatmaps_are_a_quarter_of_the_size(all_branches: bool) -> None:
    network = HRNet(5, width=4, modules=(1, 1, 2), blocks=1, all_branches=all_branches)
    (maps,) = network(torch.rand(2, 3, 64, 96)).maps
    assert maps.shape == (2, 5, 16, 24)
    maps.square().sum().backward()
    assert all(value.grad is not None for value in network.parameters())


@pytest.mark.data
def test_official_small_face_network(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "hrnet_face_small.npz") as file:
        state = {key[3:]: torch.from_numpy(file[key]) for key in file.files if key.startswith("sd.")}
        network = HRNet(5, width=8, modules=(1, 1, 1), blocks=1, all_branches=True).eval()
        network.load_state_dict(state, strict=True)
        assert sum(value.numel() for value in network.parameters()) == file["n_params"]
        with torch.inference_mode():
            found = network.double()(torch.from_numpy(file["x"]).double()).maps[0]
        np.testing.assert_allclose(found, file["y"], atol=1e-8 * np.abs(file["y"]).max())


@pytest.mark.data
@pytest.mark.parametrize("name", ["face_w18_98", "pose_w32_17", "pose_w48_17"])
def test_official_networks_with_seeded_weights(name: str, parity_dir: Path) -> None:
    form, width, landmarks = name.split("_")
    with np.load(parity_dir / "awing_dehrnet" / "hrnet_filled.npz") as file:
        keys, seed = read_keys(file[f"{name}_keys"]), int(file[f"seed_{form}"])
        pixels = torch.from_numpy(file[f"{form}_x_u8"]).double() / 255
        parameters = int(file[f"{name}_params"])
        expected = file[f"{name}_y_sub" if form == "face" else f"{name}_y"]
    network = HRNet(int(landmarks), width=int(width[1:]), all_branches=form == "face").eval()
    assert sum(value.numel() for value in network.parameters()) == parameters
    network.load_state_dict(seeded_state(keys, seed), strict=True)
    with torch.inference_mode():
        found = network.double()((pixels - MEAN) / STD).maps[0]
    sub = found[:, ::5, ::2, ::2] if form == "face" else found
    np.testing.assert_allclose(sub, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.data
@pytest.mark.parametrize(
    ("form", "landmarks"), [("face_w18", 68), ("face_w18", 29), ("pose_w32", 16), ("pose_w48", 16)]
)
def test_official_number_of_weights(form: str, landmarks: int, parity_dir: Path) -> None:
    with torch.device("meta"), np.load(parity_dir / "awing_dehrnet" / "hrnet_filled.npz") as file:
        network = HRNet(landmarks, width=int(form[-2:]), all_branches=form.startswith("face"))
        assert sum(value.numel() for value in network.parameters()) == file[f"{form}_{landmarks}_params"]

"""Cells, targets and their loss: there and back, by hand, and as the published codes have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from startrack.train.losses.heatmap_mse import HeatmapMseLoss
from startrack.train.models.decode_peaks import dark, find_peaks
from startrack.train.targets.cells import CENTRES, CORNERS, INTERVALS, CellConvention
from startrack.train.targets.pose import Codec, gaussian_targets, hrnet_face_targets

EVERY_CONVENTION = pytest.mark.parametrize("convention", [CENTRES, CORNERS, INTERVALS], ids=lambda each: each.name)


@EVERY_CONVENTION
@given(st.floats(-50, 300), st.floats(-50, 300))
def test_cells_and_pixels_there_and_back(convention: CellConvention, x: float, y: float) -> None:
    crop, heatmap = (192, 256), (48, 64)
    point = np.array([x, y])
    there = convention.to_cells(point, crop, heatmap)
    np.testing.assert_allclose(convention.to_pixels(there, crop, heatmap), point, atol=1e-9)


@EVERY_CONVENTION
def test_which_conventions_mirror_exactly(convention: CellConvention) -> None:
    pixel = np.array([30.0, 40.0])
    mirrored = np.array([191 - 30.0, 40.0])
    cell, other = (convention.to_cells(each, (192, 256), (48, 64)) for each in (pixel, mirrored))
    # HRNet's test shifts mirrored heatmaps by a whole cell, where three quarters are missing
    assert 47 - cell[0] - other[0] == pytest.approx(-0.75 if convention is CORNERS else 0, abs=1e-9)


def test_centres_are_the_trackers() -> None:
    np.testing.assert_allclose(CENTRES.to_pixels(np.array([0, 63]), (256, 256), (64, 64)), [1.5, 253.5])
    np.testing.assert_allclose(INTERVALS.to_pixels(np.array([0, 63]), (256, 256), (64, 64)), [0, 255])
    np.testing.assert_allclose(CORNERS.to_pixels(np.array([0, 63]), (256, 256), (64, 64)), [0, 252])


@settings(deadline=None)
@given(st.floats(10, 37), st.floats(10, 53))
def test_dark_targets_decode_to_where_they_were_drawn(x: float, y: float) -> None:
    targets = gaussian_targets(np.array([[x, y]]), np.array([True]), (48, 64), sigma=2)
    maps = torch.from_numpy(targets.maps)[None].double()
    np.testing.assert_allclose(dark(maps, find_peaks(maps))[0, 0], [x, y], atol=0.01)


@pytest.mark.parametrize("codec", ["dark", "hrnet", "udp"])
def test_targets_by_hand(codec: Codec) -> None:
    cells = np.array([[10.4, 20.0], [np.nan, np.nan], [100, 5], [-2.0, 5.0]])
    annotated = np.array([True, False, True, True])
    targets = gaussian_targets(cells, annotated, (24, 32), sigma=2, codec=codec)
    assert targets.weight.tolist() == [1, 0, 0, 1]
    assert not targets.maps[[1, 2]].any()
    centre = 10.0 if codec == "hrnet" else 10.4
    assert targets.maps[0, 20, 12] == pytest.approx(np.exp(-((12 - centre) ** 2) / 8), abs=1e-6)
    assert (targets.maps[0, 20, 18] > 0) == (codec == "dark")


def test_loss_by_hand() -> None:
    output, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    output[0, 0] = 1.0
    output[0, 1, 0, 0] = 2.0
    output[0, 2] = 100.0
    weight = torch.tensor([[1.0, 1, 0]])
    # mean squares 1, 1 and none
    assert float(HeatmapMseLoss()(output, target, weight)) == pytest.approx(0.5 * 2 / 3)
    assert float(HeatmapMseLoss(hardest=1)(output, target, weight)) == pytest.approx(0.5)
    assert HeatmapMseLoss()(output.bfloat16(), target, weight).dtype == torch.float32


@pytest.mark.data
@pytest.mark.parametrize(("folder", "sigma"), [("384x288", 3), ("256x192", 2)])
def test_published_body_targets(folder: str, sigma: float, parity_dir: Path) -> None:
    height, width = (int(side) for side in folder.split("x"))
    crop, heatmap = (width, height), (width // 4, height // 4)
    codecs: tuple[tuple[str, Codec, CellConvention], ...] = (
        ("pose", "hrnet", CORNERS),
        ("msra", "hrnet", CORNERS),
        ("dark", "dark", CORNERS),
        ("udp", "udp", INTERVALS),
    )
    with np.load(parity_dir / "awing_dehrnet" / "pose_targets_losses.npz") as file:
        joints, visible = file[f"pose_{folder}_joints"][:, :2], file[f"pose_{folder}_vis"][:, 0] > 0
        for name, codec, convention in codecs:
            cells = convention.to_cells(joints, crop, heatmap)
            targets = gaussian_targets(cells, visible, heatmap, sigma=sigma, codec=codec)
            np.testing.assert_allclose(targets.maps, file[f"{name}_{folder}_target"], atol=1e-6)
            np.testing.assert_array_equal(targets.weight, file[f"{name}_{folder}_weight"].ravel())


@pytest.mark.data
def test_published_face_targets_and_losses(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "pose_targets_losses.npz") as file:
        for sigma in (1.0, 1.5, 2.0):
            maps = hrnet_face_targets(file["face_pts64"], sigma=sigma)
            np.testing.assert_allclose(maps, file[f"face_target_s{sigma}"], atol=1e-6)
        output, target, weight = (torch.from_numpy(file[f"mse_{key}"]) for key in ("output", "target", "weight"))
        for used, each in ((True, weight[..., 0]), (False, torch.ones(weight.shape[:2]))):
            leaf = output.clone().requires_grad_()
            loss = HeatmapMseLoss()(leaf, target, each)
            loss.backward()
            assert float(loss.detach()) == pytest.approx(float(file[f"mse_{used}"]), rel=1e-9)
            gradient = file[f"mse_{used}_grad"]
            np.testing.assert_allclose(leaf.grad, gradient, atol=2e-6 * np.abs(gradient).max())
        hard = HeatmapMseLoss(hardest=8)(output, target, weight[..., 0])
        assert float(hard) == pytest.approx(float(file["ohkm8"]), rel=1e-9)

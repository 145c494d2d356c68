"""Deployed networks of regressed heatmaps: the graph decodes as the tracker's reference does, and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from startrack.engines import load_engine
from startrack.engines.base import ModelSpec
from startrack.engines.decode import DECODERS
from startrack.engines.graphs.export import export_onnx
from startrack.train.models.awing_hourglass import AwingHourglass, MapOutput
from startrack.train.models.de_hrnet import DeHRNet
from startrack.train.models.hrnet import HRNet
from startrack.train.models.peak_head import CropInput, PeakLandmarks

SPEC = ModelSpec("tiny", "coco_17", 5, input_size=64, heatmap_size=16, crop_scale=1.25, decoder="dark", presence=False)


class Fixed(nn.Module):
    """Always these heatmaps."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, crops: Tensor) -> MapOutput:
        return MapOutput([self.maps])


def noisy_blobs(seed: int, count: int = 5) -> Tensor:
    """Some near the border, one empty, one negative, the rest blobs in noise."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(3, count, 2, generator=generator) * 31
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    distance = (columns - places[..., :1, None]) ** 2 + (rows - places[..., 1:, None]) ** 2
    maps = torch.exp(-distance / 8) * torch.rand(3, count, 1, 1, generator=generator) * 1.3
    maps = maps + 0.02 * torch.randn(maps.shape, generator=generator)
    maps[0, 0], maps[0, 1] = 0, -0.1
    return maps


@pytest.mark.parametrize("decoder", ["quarter_offset", "dark"])
@pytest.mark.parametrize("seed", range(4))
def test_the_graph_decodes_like_the_reference(decoder: str, seed: int) -> None:
    spec = replace(SPEC, input_size=128, heatmap_size=32, decoder=decoder)
    found = PeakLandmarks(Fixed(noisy_blobs(seed)), spec)(torch.zeros(3, 128, 128, 3, dtype=torch.uint8))
    expected = DECODERS[decoder](found.heatmaps.numpy(), spec.stride)
    np.testing.assert_allclose(found.points, expected.points, atol=0.04)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-3, atol=0.02)
    np.testing.assert_allclose(found.score, expected.score, atol=1e-6)
    assert (found.presence == 1).all()


def test_a_body_network_sees_the_middle_of_the_square() -> None:
    class See(nn.Module):
        def forward(self, images: Tensor) -> MapOutput:
            self.seen = images
            return MapOutput([images[:, :2, ::4, ::4]])

    network = See()
    spec = replace(SPEC, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    crops = torch.randint(1, 255, (2, 64, 64, 3), dtype=torch.uint8)
    (maps,) = CropInput(network, spec, width=48)(crops).maps
    torch.testing.assert_close(network.seen, crops[:, :, 8:56].permute(0, 3, 1, 2).float())
    assert maps.shape == (2, 2, 16, 16)
    assert not maps[..., :2].any()
    assert not maps[..., 14:].any()
    torch.testing.assert_close(maps[..., 2:14], crops[:, ::4, 8:56:4, :2].permute(0, 3, 1, 2).float())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("network", "width"),
    [
        (AwingHourglass(5, stacks=2, channels=16, levels=1, input_size=64), 64),
        (HRNet(5, width=4, modules=(1, 1, 1), blocks=1, all_branches=True), 64),
        (DeHRNet(5, width=8, modules=(1, 1, 1), blocks=1), 32),
    ],
    ids=["awing", "hrnet", "de_hrnet"],
)
def test_exported_networks_run_in_onnx_runtime(network: nn.Module, width: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    network.train()
    for _ in range(5):
        network(torch.rand(4, 3, 64, width))
    deployed = PeakLandmarks(CropInput(network, SPEC, width=width), SPEC).eval()
    export_onnx(deployed, SPEC, tmp_path / "model.onnx", half_weights=False)
    for count in (1, 3):
        crops = np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
        with torch.inference_mode():
            expected = deployed(torch.from_numpy(crops))
        with load_engine(tmp_path / "model.onnx") as engine:
            found = engine(crops, heatmaps=True)
        scale = max(1.0, float(expected.heatmaps.max()))
        np.testing.assert_allclose(found.heatmaps, expected.heatmaps, atol=1e-4 * scale)
        np.testing.assert_allclose(found.points, expected.points, atol=0.05)
        assert found.points.shape == (count, 5, 2)

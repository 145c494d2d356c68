"""A tiny network with random weights, exported once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from startrack.engines.base import ModelSpec
from startrack.engines.graphs.export import export_onnx
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks

TINY_SPEC = ModelSpec(name="tiny", scheme="ibug_68", num_landmarks=68, input_size=64, heatmap_size=16, crop_scale=1.25)


@pytest.fixture(scope="session")
def tiny_spec() -> ModelSpec:
    return TINY_SPEC


@pytest.fixture(scope="session")
def tiny_module() -> SoftmaxLandmarks:
    torch.manual_seed(7)
    network = CompactHourglass(68, widths=(16, 16, 16), stem_width=8)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # folded norms must matter
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, torch.nn.Conv2d) and module.out_channels == 68:
            torch.nn.init.normal_(module.weight, std=0.5)
    return SoftmaxLandmarks(network, TINY_SPEC).eval()


@pytest.fixture(scope="session")
def tiny_onnx(tiny_module: SoftmaxLandmarks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_onnx(tiny_module, TINY_SPEC, path, half_weights=False)
    return path

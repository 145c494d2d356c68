"""The STAR network as it is deployed: in torch, as an engine and as an ONNX file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.engines import load_engine
from startrack.engines.decode import DECODERS
from startrack.engines.graphs.export import export_onnx
from startrack.engines.torch_engine import TorchEngine
from startrack.tracker.schemes import IBUG_68
from startrack.train.models.landmark_head import StarLandmarks
from startrack.train.models.star_hourglass import CroppedStarHourglass, StarHourglass
from startrack.train.recipes.load import load_deployed
from startrack.train.recipes.networks import build_network
from startrack.train.recipes.star import STAR_SPECS, star_spec
from startrack.train.weights.checkpoint import save_weights

SPEC = star_spec("star-300w", IBUG_68, input_size=64)


def lively(network: StarHourglass) -> StarHourglass:
    """Weights and statistics as far from their start as after a training: maps have peaks, norms do something."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            value.mul_(0.8 + 0.4 * noise) if name.endswith("running_var") else value.add_(0.1 * (noise - 0.5))
    return network.eval()


def tiny() -> CroppedStarHourglass:
    torch.manual_seed(0)
    network = CroppedStarHourglass(
        68, [e.indices for e in IBUG_68.edges], stacks=2, channels=16, stem_channels=8, levels=2, input_size=64
    )
    lively(network)
    return network


def crops(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, size, size, 3), np.uint8)


def test_crops_are_normalised_as_the_network_wants_them() -> None:
    network, pictures = tiny(), torch.from_numpy(crops(64))
    images = (pictures.permute(0, 3, 1, 2).float() - 127.5) / 127.5
    expected = StarHourglass.forward(network, images)
    torch.testing.assert_close(network(pictures).heatmaps[-1], expected.heatmaps[-1])


def test_landmarks_are_those_of_the_last_stack_decoded_as_the_specification_says() -> None:
    network, pictures = tiny(), crops(64)
    batch = TorchEngine(StarLandmarks(network, SPEC), SPEC)(pictures, heatmaps=True)
    with torch.inference_mode():
        output = network(torch.from_numpy(pictures))
    # -1..1 by pixel borders (train/sets/star_crop.py)
    np.testing.assert_allclose(batch.points, ((output.landmarks + 1) * 64 - 1) / 2, atol=1e-3)
    decoded = DECODERS[SPEC.decoder](output.heatmaps[-1].numpy(), SPEC.stride)
    np.testing.assert_allclose(batch.points, decoded.points, atol=1e-3)
    np.testing.assert_allclose(batch.covariance, decoded.covariance, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(batch.score, decoded.score, atol=1e-4)
    assert (batch.presence == 1).all()
    assert np.linalg.eigvalsh(batch.covariance).min() > 0


def test_a_map_without_mass_says_that_it_knows_nothing() -> None:
    network = tiny()
    with torch.no_grad():
        network.stacks[-1].heads["pointmaps"].bias.fill_(-200)  # the attention shuts everything out
    batch = TorchEngine(StarLandmarks(network, SPEC), SPEC)(crops(64))
    np.testing.assert_allclose(batch.points, 31.5, atol=1e-3)
    assert batch.score.max() < 0.02


def assert_onnx_agrees(network: CroppedStarHourglass, spec, folder: Path) -> None:
    deployed = StarLandmarks(network, spec)
    export_onnx(deployed, spec, folder / "star.onnx", half_weights=False)
    pictures = crops(spec.input_size)
    with load_engine(folder / "star.onnx") as engine:
        assert engine.spec == spec
        for count in (1, 3):
            got, expected = engine(pictures[:count], heatmaps=True), TorchEngine(deployed, spec)(pictures[:count])
            np.testing.assert_allclose(got.points, expected.points, atol=0.01)
            np.testing.assert_allclose(got.covariance, expected.covariance, rtol=1e-3, atol=1e-2)
            np.testing.assert_allclose(got.score, expected.score, atol=1e-3)
        assert got.heatmaps.shape == (3, spec.num_landmarks, spec.heatmap_size, spec.heatmap_size)


def test_onnx_runtime_agrees_with_torch_on_a_small_network(tmp_path: Path) -> None:
    assert_onnx_agrees(tiny(), SPEC, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_onnx_runtime_agrees_with_torch_on_the_network_of_four_stacks(tmp_path: Path) -> None:
    # weights as drawn: by noise on 13 million of them some maps get a mass of 1e-5 (see StarLandmarks)
    torch.manual_seed(0)
    network = build_network(STAR_SPECS["star-wflw"])[0].eval()
    assert_onnx_agrees(network, STAR_SPECS["star-wflw"], tmp_path)


def test_weights_come_back_as_the_network_that_is_deployed(tmp_path: Path) -> None:
    spec = STAR_SPECS["star-300w-small"]
    network = lively(build_network(spec)[0])
    save_weights(tmp_path / "w.safetensors", network, spec)
    read, deployed = load_deployed(tmp_path / "w.safetensors")
    assert read == spec
    assert (read.colour_order, read.decoder, read.presence) == ("bgr", "stretched_soft_argmax", False)
    pictures = torch.from_numpy(crops(128, 1))
    with torch.inference_mode():
        torch.testing.assert_close(deployed.eval()(pictures).points, StarLandmarks(network, spec)(pictures).points)


def test_a_specification_in_a_file_keeps_its_decoder() -> None:
    spec = replace(SPEC, crop_scale=0.99)
    assert type(spec).from_json(spec.to_json(), "file") == spec

"""Float weights of an 8-bit model: the same answers, but for what the rounding took."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.shipping.widen import Narrow, widen
from startrack.engines import load_engine, load_eyes
from startrack.engines.zoo import EYES, FREE, MODELS, zoo_path
from startrack.tracker.types import ImageArray
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import compact_network
from startrack.train.recipes.eyes import eye_network


def smooth_crops(count: int, height: int, width: int) -> ImageArray:
    """Clouds: no faces, but not noise either, on which a network's heatmaps have no peaks."""
    coarse = torch.rand((count, 3, 6, 6), generator=torch.Generator().manual_seed(3)) * 255
    clouds = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255)
    return np.ascontiguousarray(clouds.permute(0, 2, 3, 1).numpy().astype(np.uint8))


def test_eyes_widened_say_the_same() -> None:
    path = zoo_path(EYES["free"])
    with load_eyes(path) as engine:
        crops = smooth_crops(6, engine.spec.input_height, engine.spec.input_width)
        network, _ = eye_network(engine.spec)
        widen(Narrow(path), network, torch.from_numpy(crops))
        told = engine(crops)
    with torch.no_grad():
        output = network.eval()(torch.from_numpy(crops))
    assert np.median(np.linalg.norm(output.points[:, :-1].numpy() - told.lids, axis=-1)) < 1
    assert np.median(np.abs(output.gaze.numpy() - told.gaze)) < 0.06


def test_landmarks_widened_say_the_same_through_the_convolutions_that_were_multiplied() -> None:
    path = zoo_path(MODELS[FREE])
    with load_engine(path, "cpu") as engine:
        crops = smooth_crops(4, engine.spec.input_size, engine.spec.input_size)
        network, _ = compact_network(engine.spec)
        widen(Narrow(path), network, torch.from_numpy(crops))
        told = engine(crops)
    with torch.no_grad():
        points = SoftmaxLandmarks(network, engine.spec).eval()(torch.from_numpy(crops)).points.numpy()
    away = np.linalg.norm(points - told.points, axis=-1).mean()
    other = np.linalg.norm(points - np.roll(told.points, 1, axis=0), axis=-1).mean()
    assert away < 0.2 * other

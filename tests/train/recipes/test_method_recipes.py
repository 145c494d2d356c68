"""The recipes of Adaptive Wing, HRNet and DE-HRNet: what they say, and that they learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.engines.base import ModelSpec
from startrack.engines.torch_engine import TorchEngine
from startrack.tracker.detect.fixed_detector import FixedDetector
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.types import FaceBox, Frame
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.heatmap_dataset import HeatmapDataset
from startrack.train.loop.trainer import TrainingOptions, train
from startrack.train.models.peak_head import PeakLandmarks
from startrack.train.recipes import RECIPES
from startrack.train.recipes.awing import AWING_SPECS, milestones, rmsprop
from startrack.train.recipes.de_hrnet_body import DE_HRNET_SPECS
from startrack.train.recipes.hrnet import BODY_EPOCHS, BODY_MILESTONES, HRNET_SPECS, seen_width, steps
from startrack.train.recipes.load import load_landmark_network
from startrack.train.recipes.networks import build_network
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.body import coco_body
from startrack.train.validation.landmark_validation import landmark_validation
from startrack.train.weights.checkpoint import save_weights
from tests.train.made_bodies import make_coco, make_mpii

SPECS: dict[str, ModelSpec] = AWING_SPECS | HRNET_SPECS | DE_HRNET_SPECS


@pytest.mark.parametrize("name", SPECS)
def test_every_specification_has_a_network_of_its_landmarks(name: str) -> None:
    with torch.device("meta"):
        network, deployed = build_network(SPECS[name])
    assert name in RECIPES
    assert {f"network.{key}" for key in network.state_dict()} == set(deployed.state_dict())
    assert deployed.spec == SPECS[name]
    assert SPECS[name].stride == 4


def test_schedules_of_the_papers() -> None:
    assert [milestones(epoch / 240) for epoch in (0, 79, 80, 159, 160, 239)] == pytest.approx(
        [1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6]
    )
    body = steps(BODY_MILESTONES, BODY_EPOCHS, 1e-3)
    assert [body(epoch / 210) for epoch in (0, 169, 170, 200)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    settings = rmsprop(torch.nn.Linear(1, 1)).param_groups[0]
    assert (settings["momentum"], settings["weight_decay"], settings["alpha"]) == (0, 1e-5, 0.99)


def test_networks_for_coco_are_higher_than_wide() -> None:
    assert seen_width(HRNET_SPECS["hrnet-coco"]) == 192
    assert seen_width(DE_HRNET_SPECS["dehrnet-coco"]) == 288
    assert seen_width(HRNET_SPECS["hrnet-mpii"]) == 256


def test_face_recipes_are_built_from_the_published_folders(made_300w: Path) -> None:
    for name in ("awing-300w-small", "hrnet-300w-small"):
        recipe = RECIPES[name](made_300w, epochs=2, seed=1)
        item = recipe.train_data[ItemKey(0, 0)]
        assert item.crops.shape == (128, 128, 3)
        output = recipe.model.eval()(item.crops[None])
        assert output.maps[-1].shape[1:] == item.maps.shape
        assert len(recipe.train_data) > 0


def test_body_recipes_are_built_from_the_published_folders(tmp_path: Path) -> None:
    coco, mpii = make_coco(tmp_path / "coco"), make_mpii(tmp_path / "mpii")
    for name, root in (("dehrnet-coco-small", coco), ("hrnet-coco-small", coco)):
        recipe = RECIPES[name](root, epochs=2, seed=1)
        item = recipe.train_data[ItemKey(0, 0)]
        output = recipe.model.eval()(item.crops[None])
        assert output.maps[-1].shape[1:] == item.maps.shape == (17, 32, 32)
        with torch.inference_mode():
            figures = recipe.validate(recipe.model, "cpu")
        assert 0 <= figures["validation_oks"] < 50
    recipe = RECIPES["hrnet-mpii"](mpii, epochs=2)
    assert recipe.train_data[ItemKey(0, 0)].maps.shape == (16, 64, 64)


def test_a_body_is_followed_from_a_given_box(tmp_path: Path) -> None:
    """The next crop comes from the landmarks, unturned; the scheme comes from the weights."""
    root = make_coco(tmp_path / "coco")
    spec = HRNET_SPECS["hrnet-coco-small"]
    torch.manual_seed(0)
    save_weights(tmp_path / "weights.safetensors", build_network(spec)[0], spec)
    loaded, deployed = load_landmark_network(tmp_path / "weights.safetensors")
    assert loaded == spec
    body = coco_body.load(root, "val")[0]
    image = body.sample.read_image()
    frames = [Frame(image, index, index / 25) for index in range(3)]
    detect = FixedDetector(FaceBox(body.sample.box, 1.0))
    options = TrackerOptions(max_faces=1)
    tracked = list(track_frames(frames, detect, TorchEngine(deployed, spec), options=options))
    for each in tracked:
        (one,) = each.tracks
        assert one.landmarks.points.shape == (17, 2)
        assert one.roi.angle_rad == 0


def learn(recipe: Recipe, out: Path, count: int) -> list[dict[str, float]]:
    """The curves of a training on the first samples of a recipe, and what it began with."""
    recipe.train_data.samples = recipe.train_data.samples[:count]
    with torch.inference_mode():
        before = recipe.validate(recipe.model.eval(), "cpu")
    options = TrainingOptions(out=out, workers=0, validate_epochs=5, checkpoint_minutes=60)
    train(replace(recipe, ema_decay=0.9), options)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [before, *lines]


def of_few_faces(recipe: Recipe, data: Path) -> Recipe:
    """Watched by the first validation faces only."""
    few = HeatmapDataset(ibug_300w.load(data, "validation")[:16], recipe.spec, targets=recipe.train_data.targets)
    return replace(recipe, validate=landmark_validation(few, lambda network: PeakLandmarks(network, recipe.spec)))


SLOW: list[tuple[str, Callable[[Path, Path], Path], int, int, str, float]] = [
    ("awing-300w-small", lambda data, _: data / "300w", 48, 20, "validation_nme", 0.75),
    ("hrnet-300w-small", lambda data, _: data / "300w", 48, 40, "validation_nme", 0.75),
    ("hrnet-coco-small", lambda _, made: make_coco(made, train=64, val=12), 64, 30, "validation_oks", 1.5),
    ("dehrnet-coco-small", lambda _, made: make_coco(made, train=64, val=12), 64, 30, "validation_oks", 1.5),
]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "folder", "count", "epochs", "figure", "factor"), SLOW, ids=[row[0] for row in SLOW])
def test_loss_and_figure_improve(
    name: str,
    folder: Callable[[Path, Path], Path],
    count: int,
    epochs: int,
    figure: str,
    factor: float,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    recipe = RECIPES[name](folder(data_dir, tmp_path / "made"), epochs=epochs)
    if figure == "validation_nme":
        recipe = of_few_faces(recipe, data_dir / "300w")
    before, *lines = learn(recipe, tmp_path / "out", count)
    terms = [key for key in lines[0] if key.startswith("train/")]
    losses = [sum(line[key] for key in terms) for line in lines]
    # terms are smoothed over 50 steps, about as many as there are
    assert losses[-1] < 0.9 * losses[0]
    assert np.isfinite(losses).all()
    if factor < 1:
        assert lines[-1][figure] < factor * before[figure]
    else:
        assert lines[-1][figure] > factor * before[figure] + 10

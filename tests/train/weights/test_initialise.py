"""Trained weights as the start of another training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from startrack.engines.base import EngineError
from startrack.tracker.schemes import COFW_29, IBUG_68
from startrack.train.loop.trainer import TrainingOptions, train
from startrack.train.models.star_hourglass import StarHourglass
from startrack.train.recipes.star import star_spec
from startrack.train.weights.checkpoint import load_weights, save_weights
from startrack.train.weights.initialise import initialise
from tests.train.tiny_training import Job, make_recipe

MAPS = ("heatmaps", "pointmaps", "edgemaps")


def tiny(landmarks: int, edges: int, width: int = 8) -> StarHourglass:
    return StarHourglass(
        landmarks,
        [(k, k + 1) for k in range(edges)],
        stacks=2,
        channels=width,
        stem_channels=width // 2,
        levels=1,
        input_size=32,
    )


def test_landmarks_of_another_number_begin_anew_and_are_named(tmp_path: Path) -> None:
    trained, model = tiny(29, 7), tiny(6, 2)
    save_weights(tmp_path / "w.safetensors", trained, star_spec("star-cofw", COFW_29))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    renewed = initialise(model, tmp_path / "w.safetensors")
    expected = [f"stacks.{s}.heads.{m}.{k}" for s in (0, 1) for m in MAPS for k in ("weight", "bias")]
    assert sorted(renewed) == sorted([*expected, *(f"merges.0.{m}.weight" for m in MAPS)])
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] if name in renewed else trained.state_dict()[name]), name


def test_a_network_without_edges_takes_the_rest(tmp_path: Path) -> None:
    trained, model = tiny(29, 7), tiny(6, 0)
    save_weights(tmp_path / "w.safetensors", trained, star_spec("star-cofw", COFW_29))
    renewed = initialise(model, tmp_path / "w.safetensors")
    assert sorted(renewed) == sorted(
        [*(f"stacks.{s}.heads.heatmaps.{k}" for s in (0, 1) for k in ("weight", "bias")), "merges.0.heatmaps.weight"]
    )
    assert torch.equal(model.stem[1].conv1.weight, trained.stem[1].conv1.weight)


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for other in (tiny(6, 2, width=16), nn.Linear(2, 2)):
        save_weights(path, other, star_spec("star-300w", IBUG_68))
        with pytest.raises(EngineError, match=r"w\.safetensors: weights of another network: \d+ of \d+ numbers fit"):
            initialise(tiny(6, 2), path)
    with pytest.raises(EngineError, match=r"none\.safetensors: not a readable"):
        initialise(tiny(6, 2), tmp_path / "none.safetensors")


def test_a_training_starts_from_them_and_its_average_too(tmp_path: Path) -> None:
    first = train(make_recipe(Job()), TrainingOptions(tmp_path / "first", workers=0))
    # without a step of the optimiser the result is what it was started from
    still = replace(make_recipe(Job()), learning_rate=lambda progress: 0.0, epochs=1)
    second = train(still, TrainingOptions(tmp_path / "second", workers=0, init=first))
    trained, kept = (load_weights(path).state for path in (first, second))
    for name in dict(still.model.named_parameters()):
        torch.testing.assert_close(kept[name], trained[name], rtol=0, atol=0)

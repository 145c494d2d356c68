"""The recipes by name, and trained weights back to their networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from startrack.engines.base import EngineError
from startrack.train.feed.dataset import ItemKey
from startrack.train.losses.gaussian_heatmap import GaussianHeatmapLoss
from startrack.train.recipes import RECIPES
from startrack.train.recipes.compact import COMPACT_SPEC, CROPS, compact_network, steady
from startrack.train.recipes.load import load_deployed
from startrack.train.recipes.networks import build_network
from startrack.train.sets.sample import DatasetError
from startrack.train.weights.checkpoint import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("run") / "weights.safetensors"
    save_weights(path, compact_network(COMPACT_SPEC)[0], COMPACT_SPEC)
    return path


def test_a_recipe_states_its_paper_or_model_and_its_command() -> None:
    assert "compact-300w" in RECIPES
    for recipe in RECIPES.values():
        module = __import__(recipe.__module__, fromlist=["__doc__"])
        assert "startrack train --recipe" in module.__doc__


def test_the_compact_recipe_is_what_its_network_is_loaded_for(made_300w: Path, made_backgrounds: Path) -> None:
    recipe = RECIPES["compact-300w"](made_300w, backgrounds=made_backgrounds, epochs=2, seed=5)
    assert (recipe.name, recipe.epochs) == ("compact-300w", 2)
    network, _ = build_network(recipe.spec)
    network.load_state_dict(recipe.model.state_dict())
    assert len(recipe.train_data) > 0


def test_a_student_without_a_teacher_learns_from_the_landmarks(made_300w: Path, made_backgrounds: Path) -> None:
    recipe = RECIPES["compact-300w-slim"](made_300w, extra=[made_300w / "ibug", made_300w / "afw"], extra_weight=0.5)
    assert isinstance(recipe.loss, GaussianHeatmapLoss)
    faces = recipe.train_data
    assert faces.augmentation == CROPS
    # 21 faces and 4 and 7 more, turned ones repeated
    assert len({face.landmarks.tobytes() for face in faces.faces}) == 21 + 4
    assert {face.weight for face in faces.faces} == {1.0, 0.5}
    with pytest.raises(DatasetError, match="afw: faces without landmarks; expected a --teacher"):
        RECIPES["compact-300w-slim"](made_300w, unlabelled=[made_300w / "afw"])


def test_any_training_on_labelled_faces_may_see_each_twice(made_300w: Path, made_backgrounds: Path) -> None:
    plain = RECIPES["compact-300w-slim"](made_300w, backgrounds=made_backgrounds, seed=4)
    recipe = steady(plain, 4)
    assert (recipe.name, recipe.model, recipe.batch_size) == (plain.name, plain.model, 8)
    assert len(recipe.train_data) == len(plain.train_data)
    key = ItemKey(2, 5)
    first, second = recipe.train_data[key], plain.train_data[key]
    assert torch.equal(first.crops[0], second.crops)
    assert torch.equal(first.landmarks[0], second.landmarks)
    batch = default_collate([recipe.train_data[ItemKey(0, item)] for item in range(4)])
    terms = recipe.loss(recipe.model(batch.crops), batch)
    assert list(terms) == ["distance0", "nll0", "distance1", "nll1", "presence", "unsteady"]
    assert all(float(term.detach()) > 0 for name, term in terms.items() if "nll" not in name)
    for other in (RECIPES["hrnet-300w-small"](made_300w), recipe):
        with pytest.raises(
            ValueError, match=f"the recipe {other.name} has a loss of its own; expected one of labelled"
        ):
            steady(other, 0)


def test_a_landmark_training_is_watched_from_true_and_from_perturbed_boxes(made_300w: Path) -> None:
    recipe = RECIPES["compact-300w-small"](made_300w)
    with torch.inference_mode():
        figures = recipe.validate(recipe.model.eval(), "cpu")
    assert list(figures) == ["validation_nme", "validation_nme_two_steps_on"]
    assert 5 < figures["validation_nme"] < 200
    assert figures["validation_nme_two_steps_on"] != figures["validation_nme"]


def test_weights_come_back_as_the_network_that_is_deployed(weights: Path) -> None:
    spec, deployed = load_deployed(weights)
    assert spec == COMPACT_SPEC
    torch.manual_seed(3)
    same = compact_network(COMPACT_SPEC)[1].state_dict()
    loaded = deployed.state_dict()
    assert loaded.keys() == same.keys()
    assert all(torch.equal(loaded[name], value) for name, value in same.items())


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, torch.nn.Linear(2, 2), COMPACT_SPEC)
    with pytest.raises(EngineError, match=r"weights\.safetensors: weights do not fit compact-300w: .*Missing key") as e:
        load_deployed(path)
    assert "\n" not in str(e.value)
    save_weights(path, torch.nn.Linear(2, 2), replace(COMPACT_SPEC, name="star", network=None))
    with pytest.raises(EngineError, match="weights of 'star' that name no network; expected one of compact-300w"):
        load_deployed(path)


@pytest.mark.parametrize("content", [None, b"", b"half a file"])
def test_a_file_that_holds_no_weights_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=r"weights\.safetensors: not a readable"):
        load_deployed(path)

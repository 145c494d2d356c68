"""The STAR recipes on made data sets: 300W's folders, packs of faces, WFLW, a user's own points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from startrack.tracker.schemes import IBUG_68, WFLW_98
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batch import StarBatch
from startrack.train.feed.star_batches import KeyBatch
from startrack.train.feed.star_faces import StarFaces
from startrack.train.loop.trainer import TrainingOptions, train
from startrack.train.models.star_hourglass import CroppedStarHourglass
from startrack.train.packs.pack import pack_faces
from startrack.train.recipes import RECIPES
from startrack.train.recipes.networks import build_network
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import STAR_SPECS
from startrack.train.sets import ibug_300w
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import DatasetError
from startrack.train.weights.checkpoint import load_weights
from tests.commands.invoke import done, message, run, usage
from tests.train.sets.test_wflw import line, write


def narrow(recipe: Recipe) -> Recipe:
    """Small enough for a test, with batches of 4."""
    torch.manual_seed(0)
    edges = [edge.indices for edge in IBUG_68.edges]
    model = CroppedStarHourglass(68, edges, stacks=1, channels=8, stem_channels=4, levels=1, input_size=128)
    return replace(recipe, model=model, batch_size=4, bfloat16=False)


@pytest.fixture
def packs(made_300w: Path, tmp_path: Path) -> dict[str, Path]:
    """Packs of 300W's parts by split, and of the same faces as extra ones."""
    paths = {split: tmp_path / f"{split}.pack" for split in ("train", "validation", "extra")}
    for split, path in paths.items():
        pack_faces(ibug_300w.load(made_300w, "common" if split == "extra" else split), path, size=96)
    return paths


def test_settings_are_those_of_the_star_code(made_300w: Path) -> None:
    recipe = RECIPES["star-300w"](made_300w)
    assert (recipe.epochs, recipe.batch_size, recipe.clip_gradient, recipe.ema_warm_up) == (500, 128, None, False)
    assert recipe.ema_decay == pytest.approx(0.5 ** (128 / 10_000))
    optimiser = recipe.make_optimiser(recipe.model)
    assert type(optimiser) is torch.optim.Adam
    assert optimiser.defaults["weight_decay"] == 0
    assert sum(value.numel() for value in recipe.model.parameters()) == 13_368_708
    network, _ = build_network(recipe.spec)
    network.load_state_dict(recipe.model.state_dict())


def test_extra_faces_join_at_their_weight(made_300w: Path, packs: dict[str, Path]) -> None:
    spec = STAR_SPECS["star-300w-small"]
    extra = [made_300w / "ibug", made_300w / "afw"]
    count = len(ibug_300w.load(made_300w, "train"))
    folder, prepare = StarFaces(made_300w, ibug_300w.load, extra=extra, extra_weight=0.3).training(spec, 0)
    assert prepare is None
    assert len(folder) == count + 4 + 8
    assert [float(folder[ItemKey(0, item)].weight) for item in (count - 1, count)] == pytest.approx([1, 0.3])
    faces = StarFaces(packs["train"], ibug_300w.load, extra=[packs["extra"]] * 2, extra_weight=0.3)
    packed, prepare = faces.training(spec, 0)
    assert prepare is not None
    assert len(packed) == count + 16
    batch = prepare(KeyBatch(torch.zeros(3, dtype=torch.int64), torch.tensor([count - 1, count, count + 15])), "cpu")
    assert isinstance(batch, StarBatch)
    assert batch.weight.tolist() == pytest.approx([1, 0.3, 0.3])


def test_no_validation_face_joins_as_an_extra_one(made_300w: Path, packs: dict[str, Path], tmp_path: Path) -> None:
    make = RECIPES["star-300w-small"]
    count = len(ibug_300w.load(made_300w, "train"))
    assert len(make(made_300w, extra=[made_300w / "afw"]).train_data) == count + 7
    pack = tmp_path / "whole.pack"
    pack_faces(ibug_300w.load(made_300w, "trainval"), pack, size=96)
    recipe = make(packs["train"], validation=packs["validation"], extra=[pack])
    assert len(recipe.train_data) == count + 21


def test_a_folder_and_its_packs_train_alike(made_300w: Path, packs: dict[str, Path], tmp_path: Path) -> None:
    make = RECIPES["star-300w-small"]
    for name, recipe in {
        "folder": make(made_300w, epochs=1),
        "packs": make(packs["train"], validation=packs["validation"], epochs=1),
    }.items():
        train(narrow(recipe), TrainingOptions(tmp_path / name, workers=0))
        figures = json.loads((tmp_path / name / "log.jsonl").read_text())
        assert {"validation_nme", "train/star0", "train/points0", "train/edges0"} <= set(figures)
    logs = [json.loads((tmp_path / name / "log.jsonl").read_text()) for name in ("folder", "packs")]
    # the same faces in other variations
    for term in ("train/points0", "train/edges0"):
        assert logs[0][term] == pytest.approx(logs[1][term], rel=0.3)


def test_validation_faces_are_the_same_from_a_folder_and_from_a_pack(made_300w: Path, packs: dict[str, Path]) -> None:
    spec = STAR_SPECS["star-300w"]
    folder = StarFaces(made_300w, ibug_300w.load).plain(spec)
    pack = StarFaces(packs["train"], ibug_300w.load, validation=packs["validation"]).plain(spec)
    assert len(folder) == len(pack) > 0
    first, second = folder[ItemKey(0, 0)], pack[ItemKey(0, 0)]
    np.testing.assert_allclose(first.landmarks, second.landmarks, atol=1e-3)
    assert (first.crops.float() - second.crops.float()).abs().mean() < 8  # enlarged from a packed picture


def test_a_pack_needs_another_one_to_validate_on_and_the_right_markup(packs: dict[str, Path]) -> None:
    with pytest.raises(DatasetError, match=r"train\.pack: a pack to train on; expected .* --validation"):
        RECIPES["star-300w-small"](packs["train"])
    with pytest.raises(DatasetError, match=r"train\.pack: faces of ibug_68; expected wflw_98"):
        RECIPES["star-wflw"](packs["train"], validation=packs["validation"])


def test_wflw_trains_on_its_training_faces_and_watches_the_test(tmp_path: Path) -> None:
    folder = write(write(tmp_path, [line()] * 2), [line()] * 3, "train")
    (tmp_path / "WFLW_images" / "0--Parade").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "WFLW_images" / "0--Parade" / "0_Parade_1.jpg"), np.zeros((80, 90, 3), np.uint8))
    recipe = RECIPES["star-wflw"](folder, epochs=1)
    assert len(recipe.train_data) == 3
    assert recipe.train_data[ItemKey(0, 0)].point_maps.shape == (98, 64, 64)
    edges = [edge.indices for edge in WFLW_98.edges]
    tiny = CroppedStarHourglass(98, edges, stacks=1, channels=8, stem_channels=4, levels=1).eval()
    with torch.inference_mode():
        figures = recipe.validate(tiny, "cpu")
    assert list(figures) == ["test_nme"]


def test_own_points_start_from_trained_weights_without_edges_and_mirror(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "validation"):
        (tmp_path / split).mkdir()
        for number in range(4):
            points = rng.uniform(20, 60, (6, 2))
            cv2.imwrite(str(tmp_path / split / f"{number}.png"), rng.integers(0, 255, (80, 80, 3), np.uint8))
            write_pts(tmp_path / split / f"{number}.pts", points)
    recipe = RECIPES["star-points"](tmp_path, epochs=1)
    assert recipe.spec.scheme == "points_6"
    assert recipe.train_data.augmentation.mirror == 0
    torch.manual_seed(0)
    model = CroppedStarHourglass(6, (), stacks=1, channels=8, stem_channels=4, levels=1, input_size=256)
    weights = train(replace(recipe, model=model, batch_size=4), TrainingOptions(tmp_path / "run", workers=0))
    assert load_weights(weights).spec == recipe.spec
    assert build_network(recipe.spec)[0].attention is None


def test_the_command_gives_a_recipe_its_own_options_and_no_others(made_300w: Path, tmp_path: Path) -> None:
    words = ("train", "--recipe", "star-300w-small", "--data", made_300w, "--out", tmp_path / "run")
    assert "the recipe star-300w-small has none" in usage(run(*words, "--backgrounds", tmp_path))
    assert "not a readable .safetensors" in message(run(*words, "--init", tmp_path / "none.safetensors"), 4)
    assert "no .pts file below it" in message(run(*words, "--extra", made_300w / "ibug", "--extra", tmp_path), 6)
    told = done(
        *words, "--epochs", 1, "--validate-every", 1, "--workers", 0, "--accumulate", 3, "--precision", "float32"
    )
    assert "epoch 1: validation_nme" in told.output
    assert str(tmp_path / "run" / "weights.safetensors") in told.output.replace("\n", "")

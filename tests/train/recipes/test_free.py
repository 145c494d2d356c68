"""The recipe of the free model: rendered faces alone, and no photo by any way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from startrack.train.augment.panoramas import VIEWS
from startrack.train.feed.dataset import ItemKey
from startrack.train.recipes import RECIPES
from startrack.train.recipes.compact import SLIM_SPEC
from startrack.train.recipes.face_detector import DETECTOR_SPEC
from startrack.train.recipes.free import FREE_CROPS
from startrack.train.recipes.networks import build_network
from startrack.train.sets import rendered
from startrack.train.sets.sample import DatasetError


def test_the_free_model_is_the_default_models_network_without_its_data(made_renders: Path) -> None:
    recipe = RECIPES["free-landmarks"](made_renders, epochs=3)
    assert (recipe.name, recipe.spec.name, recipe.epochs) == ("free-landmarks", "free", 3)
    assert recipe.spec.network == SLIM_SPEC.network
    build_network(recipe.spec)[0].load_state_dict(recipe.model.state_dict())
    faces = recipe.train_data
    assert (faces.augmentation, faces.annotation_bias) == (FREE_CROPS, None)
    assert len(faces.faces) == len(rendered.load(made_renders, "train"))
    assert faces.num_backgrounds == len(faces.faces) // 12
    assert len(RECIPES["free-landmarks"](made_renders, extra=[made_renders]).train_data.faces) == 2 * len(faces.faces)


def test_it_learns_from_a_batch_and_is_watched_on_both_measures(made_renders: Path) -> None:
    recipe = RECIPES["free-landmarks"](made_renders)
    faces = recipe.train_data
    batch = default_collate([faces[ItemKey(0, item)] for item in (0, 1, 2, len(faces) - 1)])
    assert batch.presence.tolist() == [1, 1, 1, 0]
    optimiser = recipe.make_optimiser(recipe.model)
    losses = []
    for _ in range(6):
        loss = sum(recipe.loss(recipe.model(batch.crops), batch).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    with torch.inference_mode():
        figures = recipe.validate(recipe.model.eval(), "cpu")
    assert list(figures) == ["validation_nme", "validation_box_nme"]
    # an eye distance is less than the box
    assert 5 < 1.2 * figures["validation_box_nme"] < figures["validation_nme"] < 400


@pytest.mark.parametrize(
    ("series", "match"),
    [
        ({"backgrounds": "0a1b"}, "backgrounds: '0a1b'; expected a series rendered without --backgrounds"),
        ({}, "backgrounds: None; expected"),
        ([], "backgrounds: None; expected"),
    ],
)
def test_pictures_before_photos_are_refused(series: object, match: str, made_renders: Path, tmp_path: Path) -> None:
    (tmp_path / rendered.SERIES_FILE).write_text(json.dumps(series))
    with pytest.raises(DatasetError, match=match):
        RECIPES["free-landmarks"](made_renders, extra=[tmp_path])


def test_photos_and_series_of_profiles_alone_are_refused(made_300w: Path, made_renders: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no series\.json in it"):
        RECIPES["free-landmarks"](made_300w)
    with pytest.raises(DatasetError, match=r"no series\.json in it"):
        RECIPES["free-landmarks"](made_renders, extra=[made_300w / "afw"])
    folder = tmp_path / "profiles"
    shutil.copytree(made_renders, folder)
    for path in folder.glob("0000/*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"turn_deg": 50.0}))
    with pytest.raises(DatasetError, match="none of them turned less than 45°; expected some"):
        RECIPES["free-landmarks"](folder)


def test_the_free_detector_sees_rendered_pictures_alone(made_scenes: Path, made_renders: Path) -> None:
    recipe = RECIPES["free-detector"](made_scenes, extra=[made_renders], epochs=2)
    assert (recipe.name, recipe.spec.name, recipe.epochs) == ("free-detector", "free-detector", 2)
    assert recipe.spec.network == DETECTOR_SPEC.network
    scenes = recipe.train_data.scenes
    assert {photo.path.parents[1] for photo, _ in scenes.photos} == {made_scenes}
    assert len(scenes.cut_outs) == len(rendered.load(made_renders, "train"))
    batch = default_collate([recipe.train_data[ItemKey(0, item)] for item in range(8)])
    assert (batch.squares[..., 2] > 0).any()
    loss = sum(recipe.loss(recipe.model(batch.pictures), batch).values())
    assert torch.isfinite(loss.detach())
    with torch.inference_mode():
        figures = recipe.validate(recipe.model.eval(), "cpu")
    assert next(iter(figures)) == "validation_ap"


def test_panoramas_are_pictures_without_a_face(made_scenes: Path, made_renders: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "place.npz", a=np.ones((16, 32, 3), np.float32))
    plain = RECIPES["free-detector"](made_scenes, extra=[made_renders])
    more = RECIPES["free-detector"](made_scenes, extra=[made_renders], backgrounds=tmp_path)
    assert len(more.train_data.scenes.grounds) == len(plain.train_data.scenes.grounds) + VIEWS


def test_a_free_detector_needs_portraits_and_refuses_photos(
    made_scenes: Path, made_renders: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="no portraits for the scenes; expected --extra"):
        RECIPES["free-detector"](made_scenes, extra=[])
    with pytest.raises(DatasetError, match=r"scenes\.json: cannot be read"):
        RECIPES["free-detector"](made_renders, extra=[made_renders])
    (tmp_path / rendered.SERIES_FILE).write_text('{"backgrounds": "ab"}')
    with pytest.raises(DatasetError, match="expected a series rendered without --backgrounds"):
        RECIPES["free-detector"](made_scenes, extra=[tmp_path])

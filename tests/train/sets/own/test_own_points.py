"""A user's own landmarks: splits, markup and flip pairs, as a training takes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.train.feed.dataset import FaceDataset, ItemKey
from startrack.train.recipes.own_points import CROPS, own_points, own_points_spec
from startrack.train.sets.own.flip_pairs import read_flip_pairs
from startrack.train.sets.own.own_points import read_own_points
from startrack.train.sets.sample import DatasetError
from tests.train.made_points import FLIP_PAIRS, NAMES, write_coco, write_folder


def test_coco_keypoints_name_their_flip_pairs(tmp_path: Path) -> None:
    own = read_own_points(write_coco(tmp_path, {"train": 6, "val": 3}))
    assert (len(own.train), len(own.validation)) == (6, 3)
    assert (own.scheme.name, own.scheme.flip_pairs) == ("points_5", FLIP_PAIRS)
    assert not own.train[0].annotated[2]


def test_a_folder_of_pts_has_flip_pairs_from_a_file(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "mine", {"train": 6, "validation": 3})
    assert read_own_points(data).scheme.flip_pairs == ()
    pairs = tmp_path / "pairs.txt"
    for text in ("0 1\n3 4  # mouth\n", "\n".join(NAMES)):
        pairs.write_text(text)
        assert read_own_points(data, flip_pairs=pairs).scheme.flip_pairs == FLIP_PAIRS
    pairs.write_text("left_eye right_eye\nmouth_left mouth_right\n")
    assert (
        read_own_points(write_coco(tmp_path / "coco", {"train": 2}), flip_pairs=pairs).scheme.flip_pairs == FLIP_PAIRS
    )


def test_one_picture_in_ten_is_held_back_of_a_set_without_splits(tmp_path: Path) -> None:
    for own in (
        read_own_points(write_folder(tmp_path / "pts", {"a": 20, "b": 10})),
        read_own_points(write_coco(tmp_path / "coco", {"everything": 30})),
    ):
        assert len(own.train) + len(own.validation) == 30
        assert 1 <= len(own.validation) <= 8
        assert not {sample.path for sample in own.train} & {sample.path for sample in own.validation}


def test_mirrored_crops_have_their_landmarks_on_the_other_side(tmp_path: Path) -> None:
    """The left eye is the one on the right of an upright crop, mirrored or not; without pairs nothing is mirrored."""
    own = read_own_points(write_coco(tmp_path / "coco", {"train": 8}, hidden=99))
    spec = own_points_spec(5, own.scheme.name)
    paired = FaceDataset(own.train, spec, augmentation=CROPS, scheme=own.scheme)
    plain = FaceDataset(own.train, spec, augmentation=CROPS)
    crops = {"paired": paired, "plain": plain}
    differ = 0
    for item in range(len(own.train)):
        for epoch in range(6):
            found = {name: faces[ItemKey(epoch, item)] for name, faces in crops.items()}
            for batch in found.values():
                assert batch.landmarks[0, 0] > batch.landmarks[1, 0]
            differ += not np.array_equal(found["paired"].crops, found["plain"].crops)
    assert 8 < differ < 40


def test_landmarks_without_a_place_count_nothing(tmp_path: Path) -> None:
    recipe = own_points(write_coco(tmp_path, {"train": 6, "val": 6}, hidden=1), epochs=1)
    batch = recipe.train_data[ItemKey(0, 0)]
    assert batch.landmarks.isnan().any(dim=-1).tolist() == [False, False, True, False, False]
    batch = type(batch)(*(value[None] for value in batch))
    terms = recipe.loss(recipe.model(batch.crops), batch)
    assert all(value.isfinite() for value in terms.values())
    sum(terms.values()).backward()
    head = recipe.model.heads[-1].weight.grad
    assert head.isfinite().all()
    assert head[2].abs().sum() == 0
    assert head[1].abs().sum() > 0
    with torch.inference_mode():
        assert np.isfinite(recipe.validate(recipe.model.eval(), "cpu")["validation_nme"])


def test_faces_of_too_few_landmarks_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = write_coco(tmp_path, {"train": 4, "val": 2}, hidden=99)
    content = json.loads((data / "train.json").read_text())
    content["annotations"][1]["keypoints"][6:] = [0] * 9
    (data / "train.json").write_text(json.dumps(content))
    assert len(read_own_points(data).train) == 3
    assert "1 of 4 faces left out: less than half of their landmarks are annotated" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 5\n", r"pairs\.txt:1: landmark '5'; expected a number below 5"),
        ("0 1\n\n1 2\n", r"pairs\.txt: landmark 1 is in two pairs"),
        ("0 0\n", r"pairs\.txt: landmark 0 is in two pairs"),
        ("0 1 2\n", r"pairs\.txt:1: '0 1 2'; expected two landmarks"),
        ("a\nb\n", r"pairs\.txt: 2 names; expected the 5 landmarks', each once"),
        ("\xff\xfe", "not a list of flip pairs that can be read"),
    ],
)
def test_wrong_flip_pairs_are_named(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DatasetError, match=expected):
        read_flip_pairs(path, 5)


def test_what_cannot_be_trained_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no \.pts file below it"):
        read_own_points(tmp_path)
    data = write_coco(tmp_path / "two", {"one": 2, "two": 2})
    with pytest.raises(DatasetError, match=r"2 COCO files, none of them train\.json"):
        read_own_points(data)

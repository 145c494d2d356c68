from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import UNCERTAIN_WEIGHT, DatasetError


def test_splits_of_the_published_layout(made_300w: Path) -> None:
    sizes = {split: len(ibug_300w.load(made_300w, split)) for split in ibug_300w.SPLITS}
    assert sizes["trainval"] == sizes["train"] + sizes["validation"] == 24
    assert (sizes["common"], sizes["challenging"], sizes["full"]) == (8, 4, 12)
    sample = ibug_300w.load(made_300w, "challenging")[0]
    assert sample.subset == "challenging"
    assert sample.landmarks.shape == (68, 2)
    assert sample.read_image().shape == (160, 170, 3)


@pytest.mark.data
def test_the_real_faces(data_dir: Path) -> None:
    loaded = {split: ibug_300w.load(data_dir / "300w", split) for split in ibug_300w.SPLITS}
    assert {split: len(samples) for split, samples in loaded.items()} == {
        "train": 1822, "validation": 187, "trainval": 2009, "common": 554, "challenging": 135, "full": 689,
    }  # fmt: skip
    photos = {
        split: {sample.path.stem.rsplit("_", 1)[0] for sample in loaded[split] if "_" in sample.path.stem}
        for split in ("train", "validation")
    }
    assert not {p for p in photos["train"] & photos["validation"] if p != "image"}
    names = [sample.name for sample in loaded["trainval"] + loaded["full"]]
    assert len(set(names)) == len(names)


def test_the_private_set_has_an_indoor_and_an_outdoor_half(made_300w: Path, tmp_path: Path) -> None:
    for folder, source in (("01_Indoor", "ibug"), ("02_Outdoor", "helen/testset")):
        shutil.copytree(made_300w / source, tmp_path / folder)
    faces = ibug_300w.load_private(tmp_path, "full")
    assert [sample.subset for sample in faces] == ["indoor"] * 4 + ["outdoor"] * 4
    assert [sample.name for sample in ibug_300w.load_private(tmp_path, "outdoor")] == [each.name for each in faces[4:]]
    with pytest.raises(DatasetError, match="'common'; expected one of indoor, outdoor, full"):
        ibug_300w.load_private(tmp_path, "common")
    with pytest.raises(DatasetError, match="01_Indoor: no such folder"):
        ibug_300w.load_private(made_300w, "indoor")


def test_extra_faces_weigh_less_and_leave_held_back_photos_out(made_300w: Path) -> None:
    folder = made_300w / "afw"
    extra = {sample.path for sample in ibug_300w.load_reduced(folder)}
    held_back = {sample.path for sample in ibug_300w.load(made_300w, "validation") if sample.path.parent == folder}
    assert held_back
    assert extra | held_back == set(folder.glob("*.png"))
    assert not extra & held_back
    assert {(sample.weight, sample.subset) for sample in ibug_300w.load_reduced(folder)} == {
        (UNCERTAIN_WEIGHT, "reduced")
    }
    assert {sample.weight for sample in ibug_300w.load(made_300w, "trainval")} == {1.0}


@pytest.mark.data
def test_the_real_extra_faces(data_dir: Path) -> None:
    extra = ibug_300w.load_reduced(data_dir / "helen_reduced")
    assert 100 <= len(extra) <= 114
    names = {
        split: {each.path.stem for each in ibug_300w.load(data_dir / "300w", split)} for split in ("full", "train")
    }
    assert not {sample.path.stem for sample in extra} & (names["full"] | names["train"])
    assert all(each.read_image().shape[2] == 3 for each in extra[::20])


def test_what_is_missing_is_named(made_300w: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'test'; expected one of train"):
        ibug_300w.load(made_300w, "test")
    with pytest.raises(DatasetError, match=r"ibug: no such folder"):
        ibug_300w.load(tmp_path, "challenging")
    (tmp_path / "ibug").mkdir()
    with pytest.raises(DatasetError, match=r"no \.pts file"):
        ibug_300w.load(tmp_path, "challenging")
    shutil.copy(next((made_300w / "ibug").glob("*.pts")), tmp_path / "ibug" / "lonely.pts")
    with pytest.raises(DatasetError, match=r"lonely\.pts: no picture beside it"):
        ibug_300w.load(tmp_path, "challenging")
    (tmp_path / "ibug" / "lonely.jpg").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"lonely\.jpg: not a picture"):
        ibug_300w.load(tmp_path, "challenging")[0].read_image()

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import DatasetError


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


def test_validation_is_a_written_list(made_300w: Path, tmp_path: Path) -> None:
    names = ibug_300w.validation_names()
    assert len(names) == 187
    assert {name.rpartition("/")[0] for name in names} == set(ibug_300w.TRAIN_FOLDERS)
    root = tmp_path / "300w"
    shutil.copytree(made_300w, root)
    before = [sample.name for sample in ibug_300w.load(root, "validation")]
    assert len(before) == 3
    # more of the official faces come along: of a photo held back, and of another
    folder = root / "helen" / "trainset"
    [held_back] = [name for name in before if name.startswith("helen")]
    stem = held_back.rpartition("/")[2]
    for name in (f"{stem.rpartition('_')[0]}_7", "123_1"):
        for suffix in (".pts", ".png"):
            shutil.copy(folder / f"{stem}{suffix}", folder / f"{name}{suffix}")
    assert [sample.name for sample in ibug_300w.load(root, "validation")] == before
    trained = [sample.name for sample in ibug_300w.load(root, "train")]
    assert len(trained) == 22
    assert any(name.endswith("/123_1") for name in trained)
    assert not any(stem.rpartition("_")[0] in name for name in trained)
    for path in root.rglob("*.p*"):
        if any(path.stem == name.rpartition("/")[2] for name in before):
            path.unlink()
    with pytest.raises(DatasetError, match="no validation face in it; expected some of the 187"):
        ibug_300w.load(root, "validation")


def test_extra_faces_join_at_their_weight_and_leave_held_back_photos_out(made_300w: Path) -> None:
    folders = [made_300w / "afw", made_300w / "ibug"]
    extra = ibug_300w.load_extra(folders)
    held_back = {sample.path for sample in ibug_300w.load(made_300w, "validation") if sample.path.parent == folders[0]}
    assert len(held_back) == 1
    assert {sample.path for sample in extra} | held_back == {path for one in folders for path in one.glob("*.png")}
    assert not {sample.path for sample in extra} & held_back
    assert {(sample.weight, sample.subset) for sample in extra} == {(1.0, "extra")}
    assert {sample.weight for sample in ibug_300w.load_extra(folders, weight=0.3)} == {0.3}
    train, validation_faces = ibug_300w.load_train_validation(made_300w, folders[1:], extra_weight=0.3)
    assert [sample.weight for sample in train] == [1.0] * 21 + [0.3] * 4
    assert len(validation_faces) == 3


@pytest.mark.data
def test_the_real_extra_faces(data_dir: Path) -> None:
    """All of them: none is on a validation photo."""
    extra = ibug_300w.load_extra([data_dir / "helen256", data_dir / "helen_reduced"])
    assert len(extra) == 984 + 114
    names = {
        split: {each.path.stem for each in ibug_300w.load(data_dir / "300w", split)} for split in ("full", "trainval")
    }
    assert not {sample.path.stem for sample in extra} & (names["full"] | names["trainval"])
    assert all(each.read_image().shape[2] == 3 for each in extra[::200])


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

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from train.data import ibug_300w
from train.data.sample import DatasetError


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

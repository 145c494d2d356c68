from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from startrack.train.sets import points_folder
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import DatasetError


def face(path: Path, num_landmarks: int = 5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_pts(path, np.arange(2.0 * num_landmarks).reshape(-1, 2))
    path.with_suffix(".jpg").touch()


def test_pictures_with_points_below_a_folder(tmp_path: Path) -> None:
    for name in ("train/a.pts", "train/ann/b.pts", "test/c.pts"):
        face(tmp_path / name)
    train = points_folder.load(tmp_path, "train")
    assert [sample.path.relative_to(tmp_path).as_posix() for sample in train] == ["train/a.jpg", "train/ann/b.jpg"]
    assert train[0].landmarks.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert [sample.subset for sample in points_folder.load(tmp_path, "all")] == ["test", "train", "train"]
    face(tmp_path / "d.pts")
    assert points_folder.load(tmp_path, "all")[0].subset == "all"


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'full'; expected one of train, validation, test, all"):
        points_folder.load(tmp_path, "full")
    with pytest.raises(DatasetError, match=r"test: no \.pts file below it"):
        points_folder.load(tmp_path, "test")
    face(tmp_path / "test" / "a.pts")
    face(tmp_path / "test" / "b.pts", 6)
    with pytest.raises(DatasetError, match=r"b\.pts: 6 landmarks, expected 5"):
        points_folder.load(tmp_path, "test")
    (tmp_path / "test" / "b.pts").unlink()
    (tmp_path / "test" / "a.jpg").unlink()
    with pytest.raises(DatasetError, match=r"a\.pts: no picture beside it"):
        points_folder.load(tmp_path, "test")

"""COFW's colour release, made as MATLAB 7.3 writes it: axes in reverse order, cells as references."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from startrack.train.sets import cofw
from startrack.train.sets.sample import HIDDEN, VISIBLE, DatasetError

h5py = pytest.importorskip("h5py")


def write(root: Path, pictures: list[np.ndarray], phis: np.ndarray, boxes: np.ndarray, *, end: str = "T") -> Path:
    """pictures: (H, W, 3) or (H, W); phis: (N, 87), boxes: (N, 4), as MATLAB shows them."""
    name = {"T": "COFW_test_color.mat", "Tr": "COFW_train_color.mat"}[end]
    with h5py.File(root / name, "w", userblock_size=512) as file:
        cells = file.create_dataset(f"Is{end}", (1, len(pictures)), dtype=h5py.ref_dtype)
        for index, picture in enumerate(pictures):
            stored = file.create_dataset(f"#refs#/{index}", data=picture.T)
            stored.attrs["MATLAB_class"] = np.bytes_("uint8")
            cells[0, index] = stored.ref
        file.create_dataset(f"phis{end}", data=phis.T)
        file.create_dataset(f"bboxes{end}", data=boxes.T)
    # MATLAB writes 512 bytes of its own before HDF5 begins
    with (root / name).open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(512))
    return root


def made(count: int = 3) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    pictures = [rng.integers(0, 256, (20 + n, 30, 3), dtype=np.uint8) for n in range(count)]
    pictures[1] = pictures[1][..., 0]
    flags = rng.integers(0, 2, (count, 29))
    phis = np.concatenate([rng.uniform(1, 30, (count, 58)), flags], axis=1)
    boxes = np.stack([[3.0, 4.0, 20.0, 21.0 + n] for n in range(count)])
    return pictures, phis, boxes


def test_a_made_set_in_the_published_format(tmp_path: Path) -> None:
    pictures, phis, boxes = made()
    samples = cofw.load(write(tmp_path, pictures, phis, boxes), "test")
    assert [sample.name.rpartition("/")[2] for sample in samples] == [f"COFW_test_color#{n}" for n in (1, 2, 3)]
    for sample, row, picture in zip(samples, phis, pictures, strict=True):
        # MATLAB counts pixels from 1
        np.testing.assert_allclose(sample.landmarks[:, 0], row[:29] - 1)
        np.testing.assert_allclose(sample.landmarks[:, 1], row[29:58] - 1)
        assert sample.visibility is not None
        assert sample.visibility.tolist() == [HIDDEN if flag else VISIBLE for flag in row[58:]]
        expected = picture if picture.ndim == 3 else np.dstack([picture] * 3)
        np.testing.assert_array_equal(sample.read_image(), expected)
    assert samples[2].box is not None
    assert samples[2].box.tolist() == [2, 3, 22, 26]


def test_the_training_file_and_a_copy_in_another_process(tmp_path: Path) -> None:
    pictures, phis, boxes = made()
    samples = cofw.load(write(tmp_path, pictures, phis, boxes, end="Tr"), "train")
    assert {sample.subset for sample in samples} == {"train"}
    assert samples[0].picture is not None
    copy = pickle.loads(pickle.dumps(samples[0].picture))
    np.testing.assert_array_equal(copy.read(), pictures[0])


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    pictures, phis, boxes = made()
    with pytest.raises(DatasetError, match="'all'; expected one of train, test"):
        cofw.load(tmp_path, "all")
    with pytest.raises(DatasetError, match=r"COFW_test_color\.mat: cannot be read"):
        cofw.load(tmp_path, "test")
    (tmp_path / "COFW_test_color.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(DatasetError, match=r"not a MATLAB 7\.3 file; expected COFW's colour release"):
        cofw.load(tmp_path, "test")
    with pytest.raises(DatasetError, match=r"phisT is float64 3×58, expected numbers, faces×87"):
        cofw.load(write(tmp_path, pictures, phis[:, :58], boxes), "test")
    with pytest.raises(DatasetError, match="3 pictures, 3 rows of landmarks, 2 boxes"):
        cofw.load(write(tmp_path, pictures, phis, boxes[:2]), "test")
    phis[1, 60] = 3
    with pytest.raises(DatasetError, match="face 2: expected finite coordinates, flags of 0 or 1"):
        cofw.load(write(tmp_path, pictures, phis, boxes), "test")


def test_a_picture_of_another_kind_is_named_when_it_is_read(tmp_path: Path) -> None:
    pictures, phis, boxes = made()
    pictures[0] = pictures[0].astype(np.float64)
    samples = cofw.load(write(tmp_path, pictures, phis, boxes), "test")
    with pytest.raises(DatasetError, match=r"IsT 1 is float64 \(3, 30, 20\), expected a picture of bytes"):
        samples[0].read_image()
    assert samples[1].read_image().shape == (21, 30, 3)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "COFW_test_color.mat", "w") as file:
        file["something"] = 1.0
    with pytest.raises(DatasetError, match="no array IsT; found something"):
        cofw.load(tmp_path, "test")


def test_numbers_of_an_unknown_kind_are_named(tmp_path: Path) -> None:
    """The bias of the exponents in the description of a float64 is overwritten."""
    write(tmp_path, [np.zeros((9, 8, 3), np.uint8)], np.ones((1, 87)), np.ones((1, 4)))
    path = tmp_path / "COFW_test_color.mat"
    whole = path.read_bytes()
    known = bytes.fromhex("340b0034ff030000")
    assert known in whole
    path.write_bytes(whole.replace(known, bytes.fromhex("340b0034ff730000")))
    with pytest.raises(DatasetError, match=r"COFW_test_color.mat: .*cannot be read"):
        cofw.load(tmp_path, "test")


def test_without_h5py_the_import_is_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match="h5py") as error:
        cofw.load(tmp_path, "test")
    assert error.value.name == "h5py"

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from startrack.tracker.schemes import IBUG_68
from startrack.train.packs.pack import pack_face, pack_faces
from startrack.train.packs.packed_faces import PACK_FORMAT, PACK_VERSION, load_packed_faces
from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import DatasetError, Sample
from tests.commands.invoke import done, message, run, usage


def smooth_picture(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture
def packed(made_300w: Path, tmp_path: Path) -> Path:
    pack_faces(ibug_300w.load(made_300w, "trainval"), tmp_path / "faces.pack", size=96)
    return tmp_path / "faces.pack"


def test_a_shrunk_face_has_its_landmarks_where_they_were() -> None:
    """A dot in the picture is found where the landmark says, through cut and shrinking."""
    rows, columns = np.mgrid[:300, :280]
    landmarks = np.random.default_rng(1).uniform(60, 200, (68, 2))
    for dot in landmarks[:10]:
        image = (255 * np.exp(-((columns - dot[0]) ** 2 + (rows - dot[1]) ** 2) / 50)).astype(np.uint8)
        face = pack_face(np.repeat(image[..., None], 3, axis=2), landmarks, size=128)
        assert face.zoom < 0.5
        found = face.picture[..., 0].astype(float)
        v, u = np.mgrid[:128, :128]
        moved = face.landmarks[(landmarks == dot).all(axis=1)][0]
        np.testing.assert_allclose([(found * u).sum(), (found * v).sum()] / found.sum(), moved, atol=0.05)


def test_a_small_face_stays_as_it_is() -> None:
    image, landmarks = smooth_picture((90, 100)), np.array([[40.5, 30.25], [60, 50]])
    face = pack_face(image, landmarks, size=64)
    left, top = (landmarks - face.landmarks)[0]
    assert face.zoom == 1
    assert (left, top) == (int(left), int(top))
    np.testing.assert_array_equal(face.picture, image[int(top) : int(top) + 64, int(left) : int(left) + 64])


def test_outside_of_the_picture_it_is_black() -> None:
    image, landmarks = np.full((40, 50, 3), 200, np.uint8), np.array([[5, 5], [25, 35]])
    face = pack_face(image, landmarks, size=60)
    left, top = (landmarks - face.landmarks)[0]
    expected = np.zeros((60, 60), np.uint8)
    expected[int(-top) : int(40 - top), int(-left) : int(50 - left)] = 200
    np.testing.assert_array_equal(face.picture[..., 0], expected)


def test_what_is_packed_is_read_again(made_300w: Path, packed: Path) -> None:
    samples = ibug_300w.load(made_300w, "trainval")
    faces = load_packed_faces(packed)
    assert faces.scheme is IBUG_68
    assert faces.pictures.shape == (len(samples), 96, 96, 3)
    assert faces.names == tuple(sample.name for sample in samples)
    assert set(faces.subsets) == {"train"}
    assert faces.weights.tolist() == [1.0] * len(samples)
    for index, sample in enumerate(samples):
        direct = pack_face(sample.read_image()[..., ::-1], sample.landmarks, size=96)
        np.testing.assert_array_equal(faces.landmarks[index], direct.landmarks)
        assert faces.zooms[index] == direct.zoom
        # JPEG keeps brightness, and half of the colour's resolution
        difference = np.abs(faces.pictures[index].numpy().astype(int) - direct.picture)
        assert difference.mean() < 3
        assert direct.picture[48, 48].argmax() == faces.pictures[index, 48, 48].argmax() == 2


def test_a_face_keeps_its_weight(made_300w: Path, tmp_path: Path) -> None:
    sample = ibug_300w.load(made_300w, "train")[0]
    light = Sample(sample.path, sample.landmarks, "extra", weight=0.25)
    pack_faces([sample, light], tmp_path / "two.pack", size=64)
    faces = load_packed_faces(tmp_path / "two.pack")
    assert faces.weights.tolist() == [1.0, 0.25]
    assert faces.subsets == ("train", "extra")


def test_faces_that_cannot_be_packed_are_named(made_300w: Path, tmp_path: Path) -> None:
    sample = ibug_300w.load(made_300w, "train")[0]
    unknown = sample.landmarks.copy()
    unknown[3] = np.nan
    for landmarks, reason in (
        (unknown, "landmarks without a place"),
        (sample.landmarks * 1e6, "pixels wide"),
        (sample.landmarks * 0, "pixels wide"),
        (sample.landmarks[:5], "faces of \\[5\\] landmarks"),
    ):
        with pytest.raises(DatasetError, match=reason):
            pack_faces([Sample(sample.path, landmarks, "train")], tmp_path / "none.pack")
    with pytest.raises(DatasetError, match="faces of \\[\\] landmarks"):
        pack_faces([], tmp_path / "none.pack")
    assert not (tmp_path / "none.pack").exists()


@pytest.mark.parametrize("content", [b"", b"not a pack", bytes(100)])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.pack").write_bytes(content)
    with pytest.raises(DatasetError, match=r"faces\.pack: not a readable pack"):
        load_packed_faces(tmp_path / "faces.pack")
    with pytest.raises(DatasetError, match="not a readable pack"):
        load_packed_faces(tmp_path / "missing.pack")


def metadata(count: int, **changes: str) -> dict[str, str]:
    names = json.dumps(["a"] * count)
    known = {"format": PACK_FORMAT, "version": PACK_VERSION, "scheme": "ibug_68", "size": "96"}
    return known | {"names": names, "subsets": names} | changes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "other"}, "expected 'startrack-faces' version '1'"),
        ({"version": "2"}, "expected 'startrack-faces' version '1'"),
        ({"scheme": "animal_9"}, "scheme 'animal_9'"),
        ({"size": "-3"}, "expected a side of 1 to 4096"),
        ({"size": "100000000"}, "expected a side of 1 to 4096"),
        ({"size": "large"}, "large"),
        ({"size": "95"}, "picture 0: 96×96 pixels; expected 95×95"),
        ({"names": "[]"}, "0 names"),
        ({"names": "{"}, "damaged"),
        ({"names": '["a"]'}, "1 names and 24 subsets"),
    ],
)
def test_wrong_metadata(packed: Path, changes: dict[str, str], reason: str) -> None:
    save_file(load_file(packed), packed, metadata=metadata(24, **changes))
    with pytest.raises(DatasetError, match=reason):
        load_packed_faces(packed)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("landmarks", np.zeros((24, 68, 3)), "landmarks: float64"),
        ("landmarks", np.zeros((24, 68, 2), np.float32), "landmarks: float32"),
        ("landmarks", np.full((24, 68, 2), np.nan), "finite"),
        ("landmarks", np.ones((24, 68, 2)), "more than one place"),
        ("zooms", np.zeros(24), "positive zooms"),
        ("weights", np.full(24, np.inf, np.float32), "finite"),
        ("offsets", np.arange(25)[::-1].copy(), "offsets"),
        ("jpegs", np.zeros((4, 4), np.uint8), "jpegs"),
        ("zooms", None, "zooms"),
    ],
)
def test_wrong_arrays(packed: Path, name: str, value: np.ndarray | None, reason: str) -> None:
    arrays = load_file(packed)
    arrays.pop(name)
    if value is not None:
        arrays[name] = value
    save_file(arrays, packed, metadata=metadata(24))
    with pytest.raises(DatasetError, match=reason):
        load_packed_faces(packed)


def test_a_damaged_picture_is_named(packed: Path) -> None:
    arrays = load_file(packed)
    first, second = arrays["offsets"][3:5]
    arrays["jpegs"][first:second] = 0
    save_file(arrays, packed, metadata=metadata(24))
    with pytest.raises(DatasetError, match="picture 3: no picture"):
        load_packed_faces(packed)


def test_the_command(made_300w: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.pack"
    words = ("pack", "--dataset", "300w", "--data", made_300w, "--split", "challenging", "--out", out, "--size", 64)
    assert "4 faces, 0.0 MiB; under the terms of the data set" in done(*words).stdout
    assert len(load_packed_faces(out)) == 4
    assert "exists already" in message(run(*words), 5)
    assert "no split 'none'" in message(run("pack", "--data", made_300w, "--split", "none", "--out", tmp_path / "x"), 6)
    assert "'faces'" in usage(run("pack", "--dataset", "faces", "--data", made_300w, "--out", tmp_path / "x"))
    assert "terms" in done("pack", "--help").stdout

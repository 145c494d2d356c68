from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from startrack.train.sets.arrays import read_arrays
from startrack.train.sets.sample import DatasetError
from startrack.train.synthetic.head.assets import _read_environment, _read_hair, load_assets, read_texture
from startrack.train.synthetic.head.ict_folder import NEUTRAL, NUM_VERTICES, read_ict_folder


def model_arrays() -> dict[str, np.ndarray]:
    """Arrays of the right shapes, far smaller than the published ones where they may be."""
    return {
        "v": np.zeros((NUM_VERTICES, 3), np.float32),
        "vt": np.zeros((3, 2), np.float32),
        "f": np.array([[0, 1, 2]], np.int32),
        "ft": np.array([[0, 1, 2]], np.int32),
        "mi": np.zeros(1, np.int16),
        "mats": np.array(["M_Face"]),
        "ident": np.zeros((1, NUM_VERTICES, 3), np.float16),
        "expr": np.zeros((1, NUM_VERTICES, 3), np.float16),
        "names": np.array(["jawOpen"]),
    }


def refused(folder: Path, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        load_assets(folder)


def test_a_folder_without_a_head_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none", "none: no such folder; expected assets")
    refused(tmp_path, r"no head model; expected ict\.npz or ICT-FaceKit's folder FaceXModel")


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("v", np.zeros((5, 3)), r"array 'v' of shape \(5, 3\); expected \(26719, 3\)"),
        ("v", np.full((NUM_VERTICES, 3), np.nan), "array 'v' has numbers that are not finite"),
        ("f", np.array([[0, 1, NUM_VERTICES]]), "array 'f' from 0 to 26719; expected 0 to 26718"),
        ("f", np.array([[0, -1, 2]]), "array 'f' from -1 to 2"),
        ("f", np.array([[0.0, 1.0, 2.0]]), "array 'f' of float64 and 1 rows; expected"),
        ("ft", np.array([[0, 1, 3]]), "array 'ft' from 0 to 3; expected 0 to 2"),
        ("mi", np.array([1]), "array 'mi' from 1 to 1; expected 0 to 0"),
        ("names", np.array(["a", "b"]), "2 names of 1 expression shapes"),
        ("mats", np.array(["M_Nose"]), "no material 'Face'; expected those of ICT-FaceKit"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path: Path, name: str, value: np.ndarray, match: str) -> None:
    np.savez(tmp_path / "ict.npz", **(model_arrays() | {name: value}))
    refused(tmp_path, match)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    arrays = model_arrays()
    del arrays["expr"]
    np.savez(tmp_path / "ict.npz", **arrays)
    refused(tmp_path, "array 'expr' of shape None")


def test_files_that_are_no_plain_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ict.npz"
    for content in (b"", b"no zip at all", b"PK\x03\x04 half of one"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"ict\.npz: not an \.npz file"):
            read_arrays(path)
    np.savez(path, v=np.array([{"a": 1}], object))
    with pytest.raises(DatasetError, match=r"ict\.npz: not an \.npz file of plain arrays"):
        read_arrays(path)


def test_a_header_that_ends_within_a_line_is_named(tmp_path: Path) -> None:
    """NumPy takes such a header apart as Python, whose errors are of no kind of NumPy's."""
    path = tmp_path / "a.npz"
    np.savez(path, a=np.zeros(3))
    with zipfile.ZipFile(path) as archive:
        member = archive.read("a.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", member.replace(b"}", b"("))
    with pytest.raises(DatasetError, match=r"a\.npz: not an \.npz file of plain arrays"):
        read_arrays(path)


def test_a_texture_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "skin_a.jpg").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"skin_a\.jpg: not a picture of 8 bits"):
        read_texture(tmp_path / "skin_a.jpg", (8, 8))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_texture(tmp_path / "none.jpg", (8, 8))


def test_light_is_made_finite(tmp_path: Path) -> None:
    sky = np.ones((32, 64, 3), np.float16)
    sky[0, 0] = [np.nan, np.inf, -3]
    np.savez(tmp_path / "sky.npz", a=sky)
    light = _read_environment(tmp_path / "sky.npz")
    assert np.isfinite(light).all()
    assert light.min() >= 0
    np.savez(tmp_path / "sky.npz", a=np.zeros((4, 4), np.float32))
    with pytest.raises(DatasetError, match=r"sky\.npz: expected one array \(height, width, 3\)"):
        _read_environment(tmp_path / "sky.npz")


def test_hair_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    places, corners = np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32)
    arrays = {"a_v": places, "a_f": corners, "a_vt": np.zeros((3, 2)), "a_ft": corners}
    np.savez(tmp_path / "hair.npz", **arrays, a_tex=np.array("../secret.png"))
    with pytest.raises(DatasetError, match=r"picture '\.\./secret\.png'; expected a path below"):
        _read_hair(tmp_path)
    np.savez(tmp_path / "hair.npz", **(arrays | {"a_f": corners + 1}), a_tex=np.array("a.png"))
    with pytest.raises(DatasetError, match="triangles and places do not fit together"):
        _read_hair(tmp_path)


def test_a_published_file_that_is_not_as_published_is_named(tmp_path: Path) -> None:
    path = tmp_path / f"{NEUTRAL}.obj"
    path.write_text("v 1 2 3\nv 1 2\n")
    with pytest.raises(DatasetError, match=r"5 numbers in 2 lines 'v '; expected 3 finite numbers in each of 26719"):
        read_ict_folder(tmp_path)
    path.write_text("v 0 0 0\n" * NUM_VERTICES + "vt 0 0\nusemtl M_Face\nf 1/1 2/1 99999/1\n")
    with pytest.raises(DatasetError, match=r"obj:26722: 'f 1/1 2/1 99999/1'; expected f and three or more"):
        read_ict_folder(tmp_path)
    path.write_text("v 0 0 0\n" * NUM_VERTICES + "vt 0 0\nusemtl M_Face\nf 1/1 2/1 3/1 4/1\n")
    with pytest.raises(DatasetError, match="0 identity and 0 expression shapes; expected both"):
        read_ict_folder(tmp_path)
    path.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        read_ict_folder(tmp_path)

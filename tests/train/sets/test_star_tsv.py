"""STAR's lists, made in their format; crops and labels as the official code has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.train.sets import star_tsv
from startrack.train.sets.sample import DatasetError
from startrack.train.sets.star_crop import crop_matrix, frame_to_crop, normalise

HEADER = "image_path\tlandmarks_5pts\tlandmarks_98pts\tscale\tcenter_w\tcenter_h\ttags"
SHARE = "//msr-facestore/Workspace/MSRA_EP_Allergan/users/yanghuan/training_data/wflw/rawImages/"


def line(points: np.ndarray, *, name: str = "helen/a.jpg", scale: float = 0.5, tags: str | None = None) -> str:
    numbers = ",".join(f"{value}" for value in points.flat)
    fields = [name, ",".join(["1.0"] * 10), numbers, f"{scale}", "40.5", "50.25"]
    return "\t".join(fields if tags is None else [*fields, tags])


def write(root: Path, lines: list[str], name: str = "test.tsv", end: str = "\n") -> Path:
    (root / name).write_bytes((end.join(lines) + end).encode())
    return root


POINTS = np.arange(136.0).reshape(68, 2)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [[], [HEADER]])
def test_no_line_is_lost_with_or_without_a_header(tmp_path: Path, header: list[str], end: str) -> None:
    write(tmp_path, [*header, line(POINTS), line(POINTS + 1)], end=end)
    samples = star_tsv.load(tmp_path, "test")
    assert [sample.landmarks[0, 0] for sample in samples] == [0, 1]
    assert samples[0].entry == str(1 + len(header))
    roi = samples[0].roi
    assert roi is not None
    assert (roi.centre.tolist(), roi.side, roi.angle_rad) == ([40.5, 50.25], 100, 0)
    assert samples[0].path == tmp_path / "helen" / "a.jpg"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    points=npst.arrays(np.float64, st.tuples(st.integers(1, 120), st.just(2)), elements=st.floats(-999, 9999)),
    scale=st.floats(0.01, 50),
)
def test_what_is_listed_is_read(tmp_path: Path, points: np.ndarray, scale: float) -> None:
    (sample,) = star_tsv.load(write(tmp_path, [line(points, scale=scale)]), "test")
    first = 1 if len(points) == 29 else 0
    np.testing.assert_array_equal(sample.landmarks, points - first)
    assert sample.roi is not None
    assert sample.roi.side == pytest.approx(200 * scale)
    np.testing.assert_array_equal(sample.roi.centre, np.array([40.5, 50.25]) - first)


@pytest.mark.parametrize(
    ("listed", "path"),
    [
        (SHARE + "37--Soccer/b.jpg", "37--Soccer/b.jpg"),
        (SHARE.replace("/", "\\") + "37--Soccer\\b.jpg", "37--Soccer/b.jpg"),
        ("./rawImages/0--Parade/b.jpg", "0--Parade/b.jpg"),
        ("afw/b.jpg", "afw/b.jpg"),
    ],
)
def test_paths_lose_the_machine_they_were_made_on(listed: str, path: str) -> None:
    assert star_tsv.clean_path(listed) == path


def test_attributes_of_wflw_and_its_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "WFLW_images").mkdir()
    write(tmp_path, [line(np.zeros((98, 2)), tags="1,0,0,0,1,0"), line(np.zeros((98, 2)), tags="0.0,0,0,0,0,1.0")])
    first, second = star_tsv.load(tmp_path, "test")
    assert (first.attributes, second.attributes) == (("pose", "occlusion"), ("blur",))
    assert first.path == tmp_path / "WFLW_images" / "helen" / "a.jpg"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("a.jpg\t1,2", "2 fields, expected 6 or more"),
        (line(POINTS).replace("0.0,1.0,2.0", "0.0,x,2.0"), r"landmarks as x,y,x,y expected in field 3"),
        (line(POINTS).replace("0.0,1.0,2.0", "0.0,nan,2.0"), r"landmarks as x,y,x,y expected in field 3"),
        (line(POINTS).replace("0.0,1.0,2.0", "1.0,2.0"), "135 coordinates, expected x and y"),
        (line(POINTS[:5]), "5 landmarks, expected 68"),
        (line(POINTS, scale=-1), "scale '-1'; expected one number above 0"),
        (line(POINTS, name="/root/a.jpg"), "expected a path below"),
        (HEADER, "landmarks as x,y,x,y expected"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str, message: str) -> None:
    write(tmp_path, [HEADER, line(POINTS), bad])
    with pytest.raises(DatasetError, match=rf"test\.tsv:3: .*{message}"):
        star_tsv.load(tmp_path, "test")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"test\.tsv: no such list; found no list"):
        star_tsv.load(tmp_path, "test")
    write(tmp_path, [HEADER], "train.tsv")
    with pytest.raises(DatasetError, match=r"test\.tsv: no such list; found train"):
        star_tsv.load(tmp_path, "test")
    with pytest.raises(DatasetError, match="no face in it"):
        star_tsv.load(tmp_path, "train")
    write(tmp_path, [line(np.zeros((98, 2)), tags="1,0")])
    with pytest.raises(DatasetError, match=r"test\.tsv:1: 2 flags, expected 6"):
        star_tsv.load(tmp_path, "test")


@pytest.mark.data
def test_crops_and_labels_of_the_official_data_set(tmp_path: Path, parity_dir: Path) -> None:
    """A list with a header, as the official Dataset read it: the same matrix and the same clamped labels."""
    vectors = np.load(parity_dir / "star" / "preproc.npz")
    lines = [HEADER]
    for points, (scale, x, y) in zip(vectors["landmarks"], vectors["case_scale_cw_ch"], strict=True):
        numbers = ",".join(str(value) for value in points.flat)
        lines.append("\t".join(["a.jpg", "0", numbers, repr(float(scale)), repr(float(x)), repr(float(y))]))
    samples = star_tsv.load(write(tmp_path, lines), "test")
    assert len(samples) == int(vectors["dataset_len"])
    for case in (0, 3, 5):
        roi = samples[case].roi
        assert roi is not None
        matrix = crop_matrix(roi)
        np.testing.assert_allclose(matrix, vectors[f"sample_matrix_{case}"], rtol=1e-6, atol=1e-4)
        label = normalise(frame_to_crop(matrix, samples[case].landmarks))
        np.testing.assert_allclose(label, vectors[f"sample_label_{case}"], atol=2e-5)

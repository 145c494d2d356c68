"""COCO keypoints of a user's own: made files in the format of the COCO web site."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.train.sets import coco_points
from startrack.train.sets.coco_points import scheme_of_names
from startrack.train.sets.sample import DatasetError

NAMES = ["left_eye", "right_eye", "nose"]


def content() -> dict[str, Any]:
    return {
        "images": [{"id": 4, "file_name": "a.jpg", "width": 90, "height": 80}, {"id": 9, "file_name": "sub/b.jpg"}],
        "annotations": [
            {"id": 70, "image_id": 9, "keypoints": [30, 20.5, 2, 10, 20, 1, 0, 0, 0], "bbox": [5, 6, 40, 50]},
            {"id": 71, "image_id": 4, "keypoints": [0] * 9, "num_keypoints": 0, "iscrowd": 1},
            {"id": 72, "image_id": 4, "keypoints": [1, 2, 2, 3, 4, 2, 5, 6, 2]},
        ],
        "categories": [{"id": 1, "name": "face", "keypoints": NAMES, "skeleton": [[1, 2], [2, 3]]}, {"id": 2}],
    }


def write(root: Path, file: Any, name: str = "test.json") -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(file))
    return root


def test_a_made_file(tmp_path: Path) -> None:
    first, second = coco_points.load(write(tmp_path, content()), "test")
    np.testing.assert_array_equal(first.landmarks, [[30, 20.5], [10, 20], [np.nan, np.nan]])
    assert first.visibility is not None
    assert first.visibility.tolist() == [2, 1, 0]
    assert first.box is not None
    assert first.box.tolist() == [5, 6, 45, 56]
    assert (first.path, first.entry, first.subset) == (tmp_path / "sub" / "b.jpg", "70", "test")
    assert second.box is None
    assert second.annotated.all()


def test_the_layout_of_coco_itself(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write(tmp_path, content(), "annotations/train.json")
    assert coco_points.load(tmp_path, "train")[1].path == tmp_path / "images" / "a.jpg"
    with pytest.raises(DatasetError, match=r"test\.json: no such file, nor in .*annotations"):
        coco_points.load(tmp_path, "test")


def test_the_scheme_follows_from_names_and_skeleton(tmp_path: Path) -> None:
    scheme = coco_points.read_scheme(write(tmp_path, content()), "test")
    assert (scheme.name, scheme.num_landmarks, scheme.flip_pairs) == ("points_3", 3, ((0, 1),))
    assert [edge.indices for edge in scheme.edges] == [(0, 1), (1, 2)]
    # a person's right eye is on the picture's left
    assert (scheme.left_eye, scheme.right_eye, scheme.pupils) == ((1,), (0,), (1, 0))
    assert scheme.inter_ocular is None


def test_pairs_are_names_that_differ_by_the_side() -> None:
    names = ["left ear", "right ear", "eye_L", "eye_R", "RIGHT-BROW", "LEFT-BROW", "leftLip", "rightLip", "left_chin"]
    assert scheme_of_names(names).flip_pairs == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert scheme_of_names(["tip", "bridge", "clefts"]).flip_pairs == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    points=npst.arrays(np.float64, (3, 2), elements=st.floats(-99, 9999)),
    visibility=st.lists(st.integers(0, 2), min_size=3, max_size=3).filter(any),
)
def test_what_is_annotated_is_read(tmp_path: Path, points: np.ndarray, visibility: list[int]) -> None:
    file = content()
    rows = np.column_stack([points, visibility])
    file["annotations"] = [{"id": 1, "image_id": 4, "keypoints": rows.ravel().tolist()}]
    (sample,) = coco_points.load(write(tmp_path, file), "test")
    known = np.array(visibility) > 0
    np.testing.assert_array_equal(sample.annotated, known)
    np.testing.assert_array_equal(sample.landmarks[known], points[known])
    assert np.isnan(sample.landmarks[~known]).all()


def set_at(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(file: dict[str, Any]) -> None:
        place: Any = file
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("annotations", 0, "keypoints", value=[1, 2, 2]), r"annotations\[0\]: 'keypoints' must be 9 finite"),
        (set_at("annotations", 0, "keypoints", 0, value="x"), r"annotations\[0\]: 'keypoints' must be 9 finite"),
        (set_at("annotations", 2, "keypoints", 2, value=5), r"annotations\[2\]: visibility is 0, 1 or 2, found \[2"),
        (set_at("annotations", 2, "image_id", value=5), r"annotations\[2\]: image_id 5 is none of the images"),
        (set_at("annotations", 0, "bbox", value=[1, 2, 0, 3]), r"annotations\[0\]: bbox .* width and height above 0"),
        (set_at("annotations", 1, value="x"), r"annotations\[1\]: no 'image_id' of type int"),
        (set_at("images", 1, "file_name", value="../b.jpg"), r"images\[1\]: picture '\.\./b\.jpg'; expected a path"),
        (set_at("images", 0, "id", value=True), r"images\[0\]: no 'id' of type int"),
        (set_at("images", value={}), "no list 'images'"),
        (set_at("categories", 0, "keypoints", value=["a", "a", "b"]), "must be names, each once"),
        (set_at("categories", 0, "skeleton", value=[[0, 1]]), r"'skeleton' has \[0, 1\]; expected two of 1 to 3"),
        (set_at("categories", value=[]), "0 categories with 'keypoints', expected one"),
        (set_at("annotations", value=[]), "no annotation with a landmark"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    file = content()
    change(file)
    with pytest.raises(DatasetError, match=rf"test\.json: .*{message}"):
        coco_points.load(write(tmp_path, file), "test")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_file_that_is_no_annotation_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "test.json").write_text(text)
    with pytest.raises(DatasetError, match=r"test\.json: (not JSON|an object)"):
        coco_points.load(tmp_path, "test")

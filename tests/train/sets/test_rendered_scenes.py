from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from startrack.train.sets import rendered_scenes
from startrack.train.sets.rendered_scenes import SCENES_FILE, load_pictures, load_scenes
from startrack.train.sets.sample import DatasetError

FACE = {"square": [50.0, 40.0, 30.0], "points": [[40.0, 30], [60, 30], [50, 40], [42, 50], [58, 50]]}


def made(root: Path, *faces: object) -> Path:
    (root / SCENES_FILE).write_text('{"backgrounds": ""}')
    (root / "0000").mkdir(exist_ok=True)
    (root / "0000" / "0000000.json").write_text(json.dumps({"faces": list(faces)}))
    return root


def test_faces_are_found_or_ignored_by_what_is_seen_of_them(tmp_path: Path) -> None:
    cases = [(1.0, 0.0), (0.41, -99.0), (0.39, 0.0), (1.0, 101.0)]
    faces = [FACE | {"square": [50.0 + k, 40, 30], "visible": v, "turn_deg": t} for k, (v, t) in enumerate(cases)]
    (photo,) = load_scenes(made(tmp_path, *faces), "all")
    assert photo.path == tmp_path / "0000" / "0000000.jpg"
    assert photo.squares[:, 0].tolist() == [50, 51]
    assert photo.ignored[:, 0].tolist() == [52, 53]
    np.testing.assert_array_equal(photo.eyes, [[[40, 30], [60, 30]]] * 2)


def test_a_picture_may_show_no_face(tmp_path: Path) -> None:
    (photo,) = load_scenes(made(tmp_path), "all")
    assert (photo.squares.shape, photo.eyes.shape, photo.ignored.shape) == ((0, 3), (0, 2, 2), (0, 3))


def test_splits_part_the_scenes_and_leave_the_people_out(made_scenes: Path) -> None:
    train, validation = load_scenes(made_scenes, "train"), load_scenes(made_scenes, "validation")
    assert len(train) + len(validation) == len(load_scenes(made_scenes, "all")) == 30
    assert validation
    assert not {photo.path for photo in train} & {photo.path for photo in validation}
    assert all(photo.read_image().shape == (160, 240, 3) for photo in validation)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"square": [1.0, 2.0]}, r"square of shape \(2,\), points of shape \(5, 2\)"),
        ({"points": [[1.0, 2.0]]}, r"points of shape \(1, 2\); expected \(3,\) and \(5, 2\)"),
        ({"square": [1.0, 2.0, 0.0]}, "a face of side 0"),
        ({"square": [1.0, float("nan"), 5.0]}, "not finite"),
        ({"visible": None}, "NoneType"),
        ({"turn_deg": "left"}, "left"),
        ({"points": [["a", "b"]] * 5}, "could not convert"),
    ],
)
def test_a_face_that_is_not_as_made_is_named(change: dict[str, object], match: str, tmp_path: Path) -> None:
    made(tmp_path, FACE | {"visible": 1.0, "turn_deg": 0.0} | change)
    with pytest.raises(DatasetError, match=rf"0000000\.json: not a scene's faces.*{match}") as error:
        load_scenes(tmp_path, "all")
    assert "\n" not in str(error.value)


def test_other_folders_are_refused(tmp_path: Path, made_renders: Path, made_scenes: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'test'"):
        load_scenes(made_scenes, "test")
    with pytest.raises(DatasetError, match=r"no scenes\.json in it; expected a folder of startrack render --scenes"):
        load_scenes(made_renders, "all")
    folder = tmp_path / "empty"
    shutil.copytree(made_scenes, folder, ignore=shutil.ignore_patterns("0*"))
    with pytest.raises(DatasetError, match="no picture of split 'all' in it yet"):
        load_scenes(folder, "all")
    for content in ("[", "{}", '{"faces": 3}', '{"faces": [1]}', "[" * 100_000):
        made(tmp_path)
        (tmp_path / "0000" / "0000000.json").write_text(content)
        with pytest.raises(DatasetError, match=r"0000000\.json: not a scene's faces"):
            load_scenes(tmp_path, "all")
    (tmp_path / SCENES_FILE).write_text('{"backgrounds": "ab"}')
    with pytest.raises(DatasetError, match="expected a series rendered without --backgrounds"):
        rendered_scenes.refuse_photos(tmp_path)


def test_a_folder_of_scenes_or_of_photos_is_told_by_its_files(made_scenes: Path, tmp_path: Path) -> None:
    scenes = load_pictures(made_scenes, "validation")
    assert [scene.path for scene in scenes] == [scene.path for scene in load_scenes(made_scenes, "validation")]
    shutil.copy(scenes[0].path, tmp_path / "a.jpg")
    (tmp_path / "faces.json").write_text(json.dumps({"images": {"a.jpg": []}}))
    (photo,) = load_pictures(tmp_path, "all")
    assert photo.path == tmp_path / "a.jpg"

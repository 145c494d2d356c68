"""Truths of eyes from renders, from landmarks and from a peer's labels."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from startrack.tracker.eyes.crop import LEFT_EYE, RIGHT_EYE
from startrack.train.sets import rendered
from startrack.train.sets.eyes import rendered_eyes
from startrack.train.sets.eyes.eye_sets import load_eye_set
from startrack.train.sets.eyes.iris_labels import label_of, read_iris_labels
from startrack.train.sets.eyes.real_eyes import load_iris_faces, load_real_eyes
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import DatasetError

FOCAL, DISTANCE = 500.0, 50.0


def facts(blink: float = 0.0) -> tuple[dict[str, Any], np.ndarray]:  # type: ignore[type-arg]
    """A face from the front whose right eye is shut by a weight of eyeBlink; (68, 2) px."""
    places = np.zeros((68, 3))
    for side, eye in ((-1, RIGHT_EYE), (1, LEFT_EYE)):
        gap = 0.846 - 0.747 * (blink if side < 0 else 0)
        shape = [[4.6, 0], [3.7, -gap + 0.4], [2.7, -gap + 0.4], [1.7, 0], [2.7, 0.4], [3.7, 0.4]]
        places[list(eye), :2] = np.array(shape) * [side, 1]
    places[[48, 54], :2] = [[-2.5, 7], [2.5, 7]]
    places[:, 2] = DISTANCE
    points = places[:, :2] / places[:, 2:] * FOCAL + 112
    iris = [[-3.2, 0, DISTANCE], [3.2, 0, DISTANCE]]
    values = {
        "visible": [1] * 68,
        "turn_deg": 3.0,
        "attributes": {"glasses": "round"},
        "landmarks_cm": places.tolist(),
        "iris": [[x / DISTANCE * FOCAL + 112, 112] for x, _, _ in iris],
        "iris_cm": iris,
        "iris_visible": [int(blink < 0.5), 1],
        "gaze": [0.0, 0.0, -1.0],
        "rotation": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
        "blendshapes": {"eyeBlink_R": blink},
        "age_years": 40.0,
        "focal_px": FOCAL,
    }
    return values, points


def write(root: Path, values: dict[str, Any], points: np.ndarray, number: int = 0) -> None:  # type: ignore[type-arg]
    (root / rendered.SERIES_FILE).write_text("{}")
    stem = root / rendered.picture_stem(number)
    stem.parent.mkdir(exist_ok=True)
    write_pts(stem.with_suffix(".pts"), points)
    cv2.imwrite(str(stem.with_suffix(".jpg")), np.zeros((224, 224, 3), np.uint8))
    stem.with_suffix(".json").write_text(json.dumps(values))


def loaded(root: Path) -> Any:
    return (rendered_eyes.load(root, "train") + rendered_eyes.load(root, "validation"))[0]


@pytest.mark.parametrize(("blink", "openness"), [(0.0, 1.0), (0.5, 0.525), (1.0, 0.0496)])
def test_openness_is_that_of_the_same_person_without_the_blink(tmp_path: Path, blink: float, openness: float) -> None:
    write(tmp_path, *facts(blink))
    face = loaded(tmp_path)
    assert face.right.openness == pytest.approx(openness, abs=0.01)
    assert face.left.openness == pytest.approx(1.0)
    assert (face.right.visible, face.left.visible) == (float(blink < 0.5), 1.0)
    gap = face.right.lids[5, 1] - face.right.lids[1, 1]
    assert gap == pytest.approx(openness * 8.46, abs=0.1), "shut lids meet, as annotators set them"
    assert face.left.lids[1, 0] > face.left.lids[2, 0], "the outer corner first"


def test_iris_and_gaze_of_a_render(tmp_path: Path) -> None:
    write(tmp_path, *facts())
    face = loaded(tmp_path)
    assert face.right.iris == pytest.approx([80, 112])
    assert face.right.radius == pytest.approx(0.59 * FOCAL / DISTANCE)
    assert face.right.gaze == pytest.approx([0, 0, -1])
    assert face.domain == "rendered"
    assert "glasses" in face.sample.attributes


@pytest.mark.parametrize("entry", [{"iris": [[1, 2, 3]] * 2}, {"gaze": "ahead"}, {"focal_px": None}, {"rotation": [1]}])
def test_broken_facts_are_named(tmp_path: Path, entry: dict[str, object]) -> None:
    values, points = facts()
    write(tmp_path, values | entry, points)
    with pytest.raises(DatasetError, match=r"0000000\.json: not the facts"):
        [rendered_eyes.load(tmp_path, split) for split in ("train", "validation")]


def labels_file(root: Path, points: np.ndarray, name: str) -> Path:  # type: ignore[type-arg]
    corners = points[[36, 39, 42, 45]]
    faces = [
        {"corners": (corners + 60).tolist(), "iris": [[0, 0], [0, 0]], "radius": [1, 1]},
        {"corners": (corners + 1).tolist(), "iris": [[80, 111], [144, 111]], "radius": [5, 6]},
    ]
    path = root / "irises.jsonl"
    path.write_text(json.dumps({"picture": name, "size": [224, 224], "faces": faces}) + "\n")
    return path


def test_real_eyes_have_lids_without_the_markups_bias_and_a_peers_irises(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "photos"
    folder.mkdir(parents=True)
    _, points = facts(blink=0.95)
    write_pts(folder / "a.pts", points)
    cv2.imwrite(str(folder / "a.jpg"), np.zeros((224, 224, 3), np.uint8))
    labels = read_iris_labels(labels_file(tmp_path, points, "some/photos/a"))
    (face,) = load_real_eyes(folder, "train", labels)
    moved = face.left.lids - points[list(LEFT_EYE)]
    assert (moved[:, 0] < -0.1).all(), "the bias is to the right"
    assert face.left.iris.tolist() == [144, 111]
    assert face.left.radius == 6
    assert face.left.visible == 1
    assert math.isnan(face.right.radius), "a peer's iris in a shut eye is a guess"
    assert np.isnan(face.left.gaze).all()
    assert load_real_eyes(folder, "validation", labels) == []
    (rough,) = load_iris_faces([folder], labels)
    assert rough.left.lid_weight == 0
    assert math.isnan(rough.left.openness)
    assert load_iris_faces([folder], {}) == []
    assert label_of(labels, "some/photos/a", points + 30) is None
    assert load_eye_set(folder, "train", {})[0].domain == "real"


@pytest.mark.parametrize("line", ["[", "{}", '{"picture": "a", "faces": [{"corners": []}]}', "[" * 100_000])
def test_broken_labels_are_named_with_their_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "irises.jsonl"
    path.write_text('{"picture": "a", "faces": []}\n' + line + "\n")
    with pytest.raises(DatasetError, match=r"irises\.jsonl:2: not a picture's irises"):
        read_iris_labels(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_iris_labels(tmp_path / "none")

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.train.sets import ibug_300w, rendered
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import HIDDEN, VISIBLE, DatasetError
from startrack.train.targets.annotation_bias import IBUG_300W_BIAS, with_bias

FACTS = {"visible": [1] * 60 + [0] * 8, "turn_deg": -52.0, "attributes": {"glasses": "round", "beard": "full"}}


def made(root: Path, count: int = 1) -> Path:
    (root / rendered.SERIES_FILE).write_text("{}")
    for number in range(count):
        stem = root / rendered.picture_stem(number)
        stem.parent.mkdir(exist_ok=True)
        write_pts(stem.with_suffix(".pts"), np.arange(136.0).reshape(68, 2))
        stem.with_suffix(".jpg").touch()
        stem.with_suffix(".json").write_text(json.dumps(FACTS))
    return root


def test_a_face_with_what_is_known_of_it(tmp_path: Path) -> None:
    (sample,) = rendered.load(made(tmp_path), "all")
    assert sample.path == tmp_path / "0000/0000000.jpg"
    assert sample.landmarks[1].tolist() == [2, 3]
    assert sample.visibility is not None
    assert sample.visibility.tolist() == [VISIBLE] * 60 + [HIDDEN] * 8
    assert sample.attributes == ("turn 45-60", "beard", "glasses")


def test_splits_part_the_set_and_folders_hold_a_thousand(tmp_path: Path) -> None:
    made(tmp_path, 200)
    train, validation = rendered.load(tmp_path, "train"), rendered.load(tmp_path, "validation")
    assert len(train) + len(validation) == 200
    assert 8 < len(validation) < 40
    assert not {s.path for s in train} & {s.path for s in validation}
    assert rendered.picture_stem(12_345) == "0012/0012345"


@pytest.mark.parametrize(("turn", "name"), [(0, "0-15"), (-14.9, "0-15"), (15, "15-30"), (89, "75-90"), (120, "75-90")])
def test_names_of_turns(tmp_path: Path, turn: float, name: str) -> None:
    made(tmp_path)
    (tmp_path / "0000/0000000.json").write_text(json.dumps(FACTS | {"turn_deg": turn}))
    assert rendered.load(tmp_path, "all")[0].attributes[0] == f"turn {name}"


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"visible": [1] * 67}, "visible: expected 68 values 0 or 1"),
        ({"visible": [2] * 68}, "visible: expected 68 values 0 or 1"),
        ({"turn_deg": "much"}, "turn_deg: 'much'; expected degrees"),
        ({"turn_deg": float("nan")}, "turn_deg: nan; expected degrees"),
        ({"attributes": ["beard"]}, "attributes: expected an object of texts"),
    ],
)
def test_broken_facts_are_named(tmp_path: Path, entry: dict[str, object], match: str) -> None:
    made(tmp_path)
    (tmp_path / "0000/0000000.json").write_text(json.dumps(FACTS | entry))
    with pytest.raises(DatasetError, match=rf"0000000\.json: {match}"):
        rendered.load(tmp_path, "all")


def test_what_is_no_rendered_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'test'; expected one of train, validation, all"):
        rendered.load(tmp_path, "test")
    with pytest.raises(DatasetError, match=r"no series\.json in it"):
        rendered.load(tmp_path, "all")
    made(tmp_path, 0)
    with pytest.raises(DatasetError, match="no picture in it yet"):
        rendered.load(tmp_path, "all")
    made(tmp_path)
    for content in ("[", "[]", "[" * 100_000):
        (tmp_path / "0000/0000000.json").write_text(content)
        with pytest.raises(DatasetError, match=r"0000000\.json"):
            rendered.load(tmp_path, "all")


def test_a_rendered_folder_joins_a_training_as_extra_faces(tmp_path: Path) -> None:
    made(tmp_path, 40)
    further = ibug_300w.load_extra([tmp_path])
    assert [sample.path for sample in further] == [sample.path for sample in rendered.load(tmp_path, "train")]
    assert 20 < len(further) < 40


def test_a_rendered_face_among_those_of_300w_is_annotated_as_they_are(tmp_path: Path) -> None:
    made(tmp_path, 30)
    own = {sample.name: sample.landmarks for sample in rendered.load(tmp_path, "train")}
    for sample in ibug_300w.load_extra([tmp_path]):
        np.testing.assert_allclose(sample.landmarks, with_bias(own[sample.name], IBUG_68, IBUG_300W_BIAS))

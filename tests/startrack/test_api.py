"""The names that programs use: pictures in, faces out, and one clear error for what is no picture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import startrack
from startrack import api
from startrack.engines import zoo
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.signals.usual_faces import RENDERED_FACES
from startrack.tracker.types import ImageArray
from tests.engines.made_provenance import write_provenance

shipped = pytest.mark.skipif(not zoo_path(DEFAULT_LANDMARKS).is_file(), reason="no shipped model in this tree")


@pytest.fixture(scope="module")
def portrait() -> ImageArray:
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut())


def test_every_public_name_is_there() -> None:
    assert 12 <= len(startrack.__all__) <= 20
    assert all(getattr(startrack, name) is not None for name in startrack.__all__)
    assert set(startrack.__all__) <= set(dir(startrack))
    with pytest.raises(AttributeError, match="no attribute 'follow'"):
        startrack.follow  # noqa: B018


def test_the_version_is_the_distribution_s() -> None:
    command = [sys.executable, "-m", "startrack", "--help"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=100).returncode == 0
    assert startrack.__version__.count(".") == 2


@shipped
def test_a_picture_is_read_from_an_array_a_file_and_pil(portrait: ImageArray, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.fromarray(portrait).save(tmp_path / "portrait.png")
    found = startrack.read_faces(portrait)
    assert len(found.tracks) == 1
    points = found.tracks[0].landmarks.points
    assert points.shape == (68, 2)
    for same in (tmp_path / "portrait.png", str(tmp_path / "portrait.png"), image.fromarray(portrait)):
        assert np.array_equal(startrack.read_faces(same).tracks[0].landmarks.points, points)
    bgr = startrack.read_faces(portrait[..., ::-1], colour="bgr")
    assert np.array_equal(bgr.tracks[0].landmarks.points, points)


@shipped
def test_grey_and_opacity_are_accepted(portrait: ImageArray) -> None:
    grey = portrait.mean(axis=2).astype(np.uint8)
    opaque = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
    points = startrack.read_faces(portrait).tracks[0].landmarks.points
    for picture in (grey, grey[..., None], opaque):
        (face,) = startrack.read_faces(picture).tracks
        assert np.abs(face.landmarks.points - points).max() < 10


@shipped
def test_a_loop_of_one_s_own_keeps_the_identity(portrait: ImageArray) -> None:
    with startrack.Tracker("s", max_faces=2) as tracker:
        results = [tracker.update(np.roll(portrait, shift, axis=1), shift / 25) for shift in range(4)]
        assert [[face.id for face in result.tracks] for result in results] == [[0]] * 4
        assert [result.frame.index for result in results] == [0, 1, 2, 3]
        assert results[0].tracks[0].signals is not None
        tracker.reset()
        assert tracker.update(portrait, 0.0).frame.index == 0
        first, second = tracker.update(portrait, 1.0), tracker.update(portrait, 1.5)
        assert second.frame.time_s - first.frame.time_s == 0.5
    tracker.close()


@shipped
def test_late_results_come_in_order_and_none_is_lost(portrait: ImageArray) -> None:
    pictures = [np.roll(portrait, shift, axis=1) for shift in range(12)]
    with startrack.Tracker("s", lookahead=5) as tracker:
        late = [tracker.update(picture, index / 25) for index, picture in enumerate(pictures)]
        assert late[:5] == [None] * 5
        results = [result for result in late if result is not None]
        left = tracker.flush()
        assert 1 <= len(left) <= 5
        results += left
        assert tracker.flush() == []
    assert [result.frame.index for result in results] == list(range(12))
    assert all(np.array_equal(result.frame.image, picture) for result, picture in zip(results, pictures, strict=True))
    assert [[face.id for face in result.tracks] for result in results] == [[0]] * 12
    whole = list(startrack.track(pictures, "s", fps=25))
    for one, other in zip(results, whole, strict=True):
        np.testing.assert_allclose(one.tracks[0].landmarks.points, other.tracks[0].landmarks.points)


@shipped
def test_without_times_the_clock_counts(portrait: ImageArray) -> None:
    with startrack.Tracker("s", signals=False) as tracker:
        times = [tracker.update(portrait).frame.time_s for _ in range(3)]
    assert times[0] == 0.0
    assert times[0] < times[1] < times[2]


@shipped
@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (None, "type NoneType; expected a uint8 array or a PIL image"),
        ([[1, 2], [3, 4]], "type list"),
        (np.zeros((8, 8, 3), np.float32), "float32; expected uint8, 0 to 255; multiply"),
        (np.zeros((8, 8, 3), np.uint16), "uint16; expected uint8, 0 to 255; divide"),
        (np.zeros((8, 8, 2), np.uint8), r"shape \(8, 8, 2\); expected"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"shape \(2, 8, 8, 3\)"),
        (np.zeros((0, 8, 3), np.uint8), r"shape \(0, 8, 3\)"),
        (np.zeros(12, np.uint8), r"shape \(12,\)"),
        ("no such file.png", "no such file.png"),
    ],
)
def test_what_is_no_picture_gets_one_clear_error(picture: Any, words: str) -> None:
    with pytest.raises(startrack.StartrackError, match=words) as caught:
        startrack.read_faces(picture)
    assert "\n" not in str(caught.value)


@shipped
@pytest.mark.parametrize(
    ("time_s", "words"),
    [
        (1.0, "time_s 1 after 1; expected times that grow"),
        (0.5, "time_s 0.5 after 1"),
        (float("nan"), "time_s nan; expected a finite number"),
        (float("inf"), "finite"),
        ("soon", "'soon'; expected seconds"),
    ],
)
def test_times_must_grow_and_a_wrong_one_changes_nothing(time_s: Any, words: str, portrait: ImageArray) -> None:
    with startrack.Tracker("s") as tracker:
        tracker.update(portrait, 1.0)
        with pytest.raises(startrack.StartrackError, match=words):
            tracker.update(portrait, time_s)
        assert [face.id for face in tracker.update(portrait, 1.1).tracks] == [0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "xl"}, "model 'xl'; expected s, m, l, free or a model file"),
        ({"licence": "beer"}, "licence 'beer'; expected 'research' or 'free'"),
        ({"model": "m", "licence": "free"}, "model 'm' is for non-commercial research only; expected 'free'"),
        (
            {"model": zoo_path(DEFAULT_LANDMARKS), "licence": "free"},
            r"compact-300w-slim\.onnx is for non-commercial research only",
        ),
        ({"model": "missing.onnx"}, "missing.onnx: no such model file"),
        ({"smooth": "kalmann"}, "smooth 'kalmann'; expected one of kalman"),
        ({"lookahead": -1}, "lookahead -1 with smooth 'kalman'; expected 0, or more with 'kalman'"),
        ({"lookahead": 5, "smooth": "none"}, "lookahead 5 with smooth 'none'"),
        ({"max_faces": 0}, "max_faces 0; expected 1 or more"),
        ({"colour": "hsv"}, "colour 'hsv'; expected 'rgb' or 'bgr'"),
    ],
)
@shipped
def test_an_argument_that_is_none_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(startrack.StartrackError, match=words):
        startrack.Tracker(**arguments)


@shipped
def test_results_are_written_and_drawn(portrait: ImageArray) -> None:
    result = startrack.read_faces(portrait)
    record = json.loads(json.dumps(result.to_dict()))
    assert record["width"] == portrait.shape[1]
    assert len(record["faces"][0]["points"]) == 68
    drawn = result.draw()
    assert drawn.shape == portrait.shape
    assert (drawn != portrait).any()
    assert np.array_equal(result.draw(portrait), drawn)
    with pytest.raises(startrack.StartrackError, match="expected the frame's"):
        result.draw(portrait[:100])


@shipped
def test_results_are_rows_of_a_table(portrait: ImageArray, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table = startrack.read_faces(portrait).to_pandas()
    assert len(table) == 1
    assert {"frame", "time_s", "id", "x_0", "y_67", "score_0", "yaw_deg", "mouth_open", "jawOpen"} <= {*table.columns}
    table.to_parquet(tmp_path / "faces.parquet")
    assert pandas.read_parquet(tmp_path / "faces.parquet").equals(table)
    empty = startrack.read_faces(np.zeros((64, 64, 3), np.uint8)).to_pandas()
    assert len(empty) == 0
    assert "x_0" not in empty.columns


@shipped
def test_a_source_is_followed_from_a_file_and_from_pictures(portrait: ImageArray, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for index in range(3):
        image.fromarray(portrait).save(tmp_path / f"{index}.png")
    by_name = list(startrack.track(tmp_path, "s"))
    by_pictures = list(startrack.track([portrait] * 3, "s", fps=25))
    assert len(by_name) == len(by_pictures) == 3
    for one, other in zip(by_name, by_pictures, strict=True):
        assert one.frame.time_s == other.frame.time_s
        assert np.array_equal(one.tracks[0].landmarks.points, other.tracks[0].landmarks.points)
    with pytest.raises(startrack.StartrackError, match="no such file"):
        next(startrack.track(tmp_path / "missing.mp4"))


@shipped
def test_pictures_of_a_folder_pass_nothing_on(portrait: ImageArray, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    pictures = {"anna": portrait, "bert": np.roll(portrait, 40, axis=1), "cleo": np.zeros_like(portrait)}
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
    results = list(startrack.track(tmp_path, lookahead=5))
    assert [[track.id for track in result.tracks] for result in results] == [[0], [1], []]
    alone = startrack.read_faces(tmp_path / "bert.png").tracks[0].landmarks.points
    assert np.array_equal(results[1].tracks[0].landmarks.points, alone)


@shipped
def test_a_free_tracker_opens_free_models_only(
    portrait: ImageArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, stand_in in (("free", "compact-300w-small"), ("free-detector", "face-detector")):
        for suffix in (".onnx", ".json"):
            shutil.copy(zoo_path(stand_in).with_suffix(suffix), tmp_path / f"{name}{suffix}")
        write_provenance(tmp_path / f"{name}.onnx", "free")
    opened: list[str] = []
    for loader in ("load_engine", "load_detector"):
        real = getattr(api, loader)

        def load(path: Path, *given: Any, real: Any = real, **more: Any) -> Any:
            opened.append(path.name)
            return real(path, *given, **more)

        monkeypatch.setattr(api, loader, load)
    monkeypatch.setattr(zoo, "zoo_path", lambda name: tmp_path / f"{name}.onnx")
    for given in ({"model": "free"}, {"licence": "free"}, {"model": "free", "licence": "free"}):
        with startrack.Tracker(**given) as tracker:
            assert len(tracker.update(portrait).tracks) == 1
            assert tracker.usual_faces is RENDERED_FACES
            assert tracker._options.evidence.shapes == "free"
    assert opened == ["free.onnx", "free-detector.onnx"] * 3
    (tmp_path / "free-detector.onnx").unlink()
    with pytest.raises(startrack.StartrackError, match=r"no free model in this installation: .*free-detector"):
        startrack.Tracker("free")

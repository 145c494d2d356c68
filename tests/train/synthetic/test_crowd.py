"""Pictures of several people: where cut-outs come to lie, who hides whom, and folders that go on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.train.sets.rendered_scenes import PEOPLE_FOLDER, load_scenes
from startrack.train.sets.sample import DatasetError
from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.crowd import group
from startrack.train.synthetic.crowd.cut_out import (
    FACE,
    MIDDLE,
    SIDE,
    CutOut,
    read_cut_out,
    render_cut_out,
    write_cut_out,
)
from startrack.train.synthetic.crowd.group import make_group
from startrack.train.synthetic.crowd.group_set import SceneSeries, open_scenes, render_scenes, scene_series
from startrack.train.synthetic.rendered_set import make_series
from startrack.train.synthetic.studio import Studio
from tests.train.conftest import face_points

POINTS = face_points((SIDE * MIDDLE[0], SIDE * MIDDLE[1] - 12), 50.0)
NOTHING = Backdrops()


@cache
def drawn(number: int) -> CutOut:
    """A red plate with a green spot on the nose's tip; odd numbers turn their backs."""
    opacity = np.zeros((SIDE, SIDE), np.float32)
    opacity[40:, 60:260] = 1
    light = np.zeros((SIDE, SIDE, 3), np.float32)
    light[..., 0] = 0.4 * opacity
    x, y = POINTS[30].round().astype(int)
    light[y - 4 : y + 5, x - 4 : x + 5] = (0, 0.4, 0)
    seen = number % 2 == 0
    return CutOut(light, opacity, POINTS if seen else None, np.full(68, seen), 20.0 if seen else 180.0)


def test_faces_lie_where_the_people_are_laid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "develop", lambda light, settings: (light * 255).clip(0, 255).astype(np.uint8))
    checked = 0
    for index in range(12):
        made = make_group(drawn, 8, (), 3, index, backdrops=NOTHING)
        height, width = made.image.shape[:2]
        for face in made.faces:
            x, y = face.points[2]
            if face.visible < 0.99 or face.square[2] < 25:
                continue
            assert 0 <= x < width
            assert 0 <= y < height
            red, green, _ = made.image[round(y), round(x)].astype(int)
            assert green > 40 > red
            # mirrored or turned: the spread of this face's points stays that of its box
            assert np.linalg.norm(face.points[0] - face.points[1]) / face.square[2] == pytest.approx(0.53, abs=0.06)
            checked += 1
    assert checked > 10


def test_who_stands_before_somebody_hides_the_face(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    for away in (0.0, 80.0, 200.0):
        far = group._Stand(0, 60.0, np.array([200.0, 200.0]), 0.0, False, 1.0)
        near = group._Stand(2, 90.0, np.array([200.0 + away, 200.0]), 0.0, True, 1.0)
        monkeypatch.setattr(group, "_stands", lambda *_, stands=(far, near): stands)
        first, second = make_group(drawn, 4, (), 3, 0, backdrops=NOTHING).faces
        shares.append(first.visible)
        assert second.visible > 0.95
        assert (first.turn_deg, second.turn_deg) == (20, -20)
        assert first.points[0, 0] < first.points[1, 0]
        assert second.points[0, 0] < second.points[1, 0]
    assert shares[0] == 0
    assert 0.1 < shares[1] < 0.9
    assert shares[2] > 0.95


def test_nobody_seen_from_behind_has_a_face() -> None:
    for index in range(4):
        assert make_group(lambda _: drawn(1), 1, (), 3, index, backdrops=NOTHING).faces == ()


def test_a_picture_depends_on_seed_and_number_alone() -> None:
    one, again = (make_group(drawn, 6, (), 5, 2, backdrops=NOTHING) for _ in range(2))
    assert np.array_equal(one.image, again.image)
    other = make_group(drawn, 6, (), 5, 3, backdrops=NOTHING)
    assert one.image.shape != other.image.shape or not np.array_equal(one.image, other.image)


def test_a_cut_out_is_read_as_it_was_written(tmp_path: Path) -> None:
    for number in (0, 1):
        stem = tmp_path / "0000" / f"{number}"
        write_cut_out(stem, drawn(number))
        found, made = read_cut_out(stem), drawn(number)
        np.testing.assert_allclose(found.opacity, made.opacity, atol=1 / 255)
        np.testing.assert_allclose(found.light, made.light, atol=0.01)
        assert (found.landmarks is None) == (made.landmarks is None)
        np.testing.assert_array_equal(found.visible, made.visible)
    stem.with_suffix(".png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="not a cut-out of 320 px"):
        read_cut_out(stem)
    stem.with_suffix(".json").write_text("{}")
    with pytest.raises(DatasetError, match="cannot be read: 'landmarks'"):
        read_cut_out(stem)


def test_a_folder_of_another_series_is_refused(tmp_path: Path) -> None:
    series = SceneSeries(1, "a", "")
    open_scenes(tmp_path / "out", series)
    open_scenes(tmp_path / "out", series)
    with pytest.raises(DatasetError, match=r"scenes\.json: made with seed 1; expected 2, or a new folder"):
        open_scenes(tmp_path / "out", SceneSeries(2, "a", ""))


@pytest.mark.data
@pytest.mark.timeout(600)
def test_rendered_people_show_their_landmarks_on_opaque_skin(studio: Studio) -> None:
    whole = render_cut_out(studio, 7, 1)
    assert whole.landmarks is not None
    extent = np.ptp(whole.landmarks, axis=0).max()
    # the outline's convention moves points of a turned head a little
    assert extent == pytest.approx(FACE * SIDE, rel=0.1)
    inner = whole.landmarks[17:].round().astype(int)
    assert (whole.opacity[inner[:, 1], inner[:, 0]] > 0.9).all()
    assert whole.opacity[:4].max() < 0.5
    assert whole.light[whole.opacity == 0].max() == 0
    assert len(IBUG_68.flip_order) == len(whole.visible)


@pytest.mark.data
@pytest.mark.timeout(600)
def test_a_folder_goes_on_where_it_stopped(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = scene_series(make_series(studio, 3, 224, NOTHING))
    small = SceneSeries(series.seed, series.assets, series.backgrounds, people=2)
    folder = tmp_path / "scenes"
    open_scenes(folder, small)
    assert list(render_scenes(studio, folder, small, range(2), NOTHING)) == [(0, True), (1, True)]
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert len(list((folder / PEOPLE_FOLDER).rglob("*.png"))) <= 2
    lost = folder / "0000" / "0000001.json"
    lost.unlink()
    assert list(render_scenes(studio, folder, small, range(2), NOTHING)) == [(0, False), (1, True)]
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    assert len(load_scenes(folder, "all")) == 2

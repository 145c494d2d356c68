"""render: what a user meets before the first picture; the pictures' own tests are in tests/train/synthetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from startrack.commands.shared.render_packages import RENDER_PACKAGES
from tests.commands.invoke import done, message, run


def test_a_missing_head_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    line = message(run("render", tmp_path / "out", "--assets", tmp_path / "assets"), 6)
    assert "assets: no head model; expected ict.npz or ICT-FaceKit's folder FaceXModel" in line
    assert not (tmp_path / "out").exists()


def test_a_folder_without_photos_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    line = message(run("render", tmp_path / "out", "--assets", tmp_path, "--backgrounds", tmp_path / "photos"), 6)
    assert "photos: no picture below it; expected photos without faces" in line


@pytest.mark.parametrize("part", ["2", "0/3", "4/3", "a/b", "1/99999"])
def test_a_part_that_is_none_is_refused(tmp_path: Path, part: str) -> None:
    result = run("render", tmp_path / "out", "--assets", tmp_path, "--part", part)
    assert result.exit_code == 2
    assert "expected i/n" in result.stderr


@pytest.mark.data
@pytest.mark.timeout(600)
def test_two_parts_make_one_set(tmp_path: Path, data_dir: Path) -> None:
    out = tmp_path / "out"
    words = (out, "--assets", data_dir / "synthetic_assets", "--size", 64, "--count", 3, "--seed", 4)
    assert "2 pictures, 2 of them made now" in done("render", *words, "--part", "1/2").stdout
    assert "3 pictures, 1 of them made now" in done("render", *words).stdout
    assert sorted(path.name for path in out.rglob("*.jpg")) == [f"000000{k}.jpg" for k in range(3)]


def test_the_extra_names_its_packages() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("render = "))
    assert all(name in line for name in RENDER_PACKAGES if name != "llvmlite")


@pytest.mark.data
@pytest.mark.timeout(600)
def test_scenes_are_a_series_of_their_own(tmp_path: Path, data_dir: Path) -> None:
    out = tmp_path / "out"
    words = (out, "--assets", data_dir / "synthetic_assets", "--seed", 4, "--scenes")
    assert "1 pictures, 1 of them made now" in done("render", *words, "--count", 2, "--part", "2/2").stdout
    assert "1 pictures, 0 of them made now" in done("render", *words, "--count", 1, "--start", 1).stdout
    assert sorted(path.name for path in out.glob("0*/*")) == ["0000001.jpg", "0000001.json"]
    assert "out: holds other files; expected a new folder" in message(run("render", *words[:-1]), 6)

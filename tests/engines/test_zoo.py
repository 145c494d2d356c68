"""The table of sizes follows the files that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from startrack.engines import zoo
from startrack.engines.base import EngineError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(zoo, "zoo_path", lambda name: tmp_path / f"{name}.onnx")
    return tmp_path


def test_only_sizes_whose_file_is_there_are_offered(folder: Path) -> None:
    (folder / "compact-300w-slim.onnx").touch()
    (folder / "compact-300w-small.onnx").touch()
    assert zoo.shipped_sizes() == {"s": "compact-300w-small", "m": "compact-300w-slim"}
    assert zoo.landmarks_path("s") == folder / "compact-300w-small.onnx"
    assert zoo.landmarks_path() == folder / "compact-300w-slim.onnx"
    with pytest.raises(EngineError, match="no landmark model of size 'l' is shipped; expected s or m"):
        zoo.landmarks_path("l")


def test_the_model_before_quantisation_where_it_is_shipped(folder: Path) -> None:
    assert zoo.float_name("compact-300w") == "compact-300w"
    (folder / "compact-300w-float.onnx").touch()
    assert zoo.float_name("compact-300w") == "compact-300w-float"


def test_the_shipped_files_are_small() -> None:
    sizes = {path.stem: path.stat().st_size for path in zoo.zoo_models()}
    assert sum(sizes.values()) <= 60e6
    if zoo.float_name(zoo.DEFAULT_LANDMARKS) != zoo.DEFAULT_LANDMARKS:
        assert sizes[zoo.DEFAULT_LANDMARKS] <= 6e6

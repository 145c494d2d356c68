"""The notebook of examples/ runs from its first cell to its last, and holds no output of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.session.demo import make_demo_clip

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_output(path: Path) -> None:
    assert [cell["outputs"] for cell in cells(path) if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pandas", "pyarrow", "skimage"):
        pytest.importorskip(package)
    if not zoo_path(DEFAULT_LANDMARKS).is_file():
        pytest.skip("no shipped model in this tree")
    monkeypatch.chdir(tmp_path)
    make_demo_clip(tmp_path / "portrait.mp4", seconds=0.4)  # the notebook's own is longer
    names: dict[str, Any] = {}
    for number, cell in enumerate(cells(path)):
        exec(compile("".join(cell["source"]), f"{path.name}[{number}]", "exec"), names)
    assert len(names["table"]) == 12
    assert (tmp_path / "portrait.parquet").is_file()
    assert names["picture"].shape == (720, 1280, 3)

"""What stands next to a figure."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.shared.record import RESULTS, write_result


def test_a_command_names_no_folder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", "/home/somebody/data/300w", "--faces", "3", "models/m.onnx"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    write_result(tmp_path / "found.json", {"figure": 1.0})
    command = json.loads((tmp_path / "found.json").read_text())["command"]
    assert command == "python bench.py data/300w --faces 3 models/m.onnx"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_result_names_no_folder_of_a_machine(path: Path) -> None:
    assert not re.findall(r'(?:"| )/[a-z]+/[^"]*', path.read_text(encoding="utf-8"))

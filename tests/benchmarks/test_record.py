"""What stands next to a figure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.shared.record import write_result


def test_a_command_names_no_folder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", "/home/somebody/data/300w", "--faces", "3", "models/m.onnx"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    write_result(tmp_path / "found.json", {"figure": 1.0})
    command = json.loads((tmp_path / "found.json").read_text())["command"]
    assert command == "python bench.py data/300w --faces 3 models/m.onnx"

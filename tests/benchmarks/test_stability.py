from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.motion.stability import earlier_facemesh

CLIPS = {"rendered": False, "split": "validation", "faces": 3, "seed": 0, "scenarios": ["still"]}


def test_facemesh_is_kept_from_a_result_of_the_same_clips_only(tmp_path: Path) -> None:
    path = tmp_path / "stability.json"
    before = {
        key: value for key, value in CLIPS.items() if key != "rendered"
    }  # results before there were rendered clips
    figures = {"kalman": {"still": {}}, "FaceMesh": {"still": {"jitter_percent": 1.0}}, "FaceMesh@80": {}}
    path.write_text(json.dumps({"clips": before, "figures": figures}), encoding="utf-8")
    assert earlier_facemesh(path, CLIPS) == {"FaceMesh": {"still": {"jitter_percent": 1.0}}, "FaceMesh@80": {}}
    with pytest.raises(SystemExit, match=r"expected .*'seed': 1"):
        earlier_facemesh(path, CLIPS | {"seed": 1})

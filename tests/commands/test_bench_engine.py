"""bench-engine: the shipped model and its half form on the same crops, each in a process of its own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import pytest

from startrack.engines.zoo import DEFAULT_LANDMARKS, FLOAT_LANDMARKS, zoo_path
from tests.commands.invoke import done, message, run, shipped
from tests.conftest import Clip

pytestmark = [pytest.mark.usefixtures("real_models"), shipped]


def test_engines_are_compared_on_the_same_crops(disc_300w: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    half, shipped_model = tmp_path / "half.onnx", zoo_path(FLOAT_LANDMARKS)
    done("export", "--weights", shipped_model, "--fp16", "--out", half)
    outputs = ("--json", tmp_path / "out.json", "--plot", tmp_path / "out.svg")
    words = ("bench-engine", "--data", disc_300w, "--split", "challenging", "--seconds", "0", *outputs)
    table = done(*words, "--weights", shipped_model, "--weights", half).stdout
    report = json.loads((tmp_path / "out.json").read_text())
    first, second = f"{FLOAT_LANDMARKS}.onnx · ONNX Runtime · cpu", "half.onnx · ONNX Runtime · cpu"
    assert report["faces"] == 3
    assert report["reference"] == first
    assert report["engines"][first]["difference_px"] == {"mean": 0, "p99": 0, "max": 0}
    difference = report["engines"][second]["difference_px"]
    assert 0 < difference["mean"] <= difference["p99"] <= difference["max"] < 1
    for engine in (first, second):
        figures = report["engines"][engine]
        assert [one["batch"] for one in figures["batches"]] == [1, 4, 16]
        assert all(one["latency_ms_p50"] <= one["latency_ms_p99"] for one in figures["batches"])
        assert 50 < figures["memory_mb"] < 5000
        assert f"| {engine} | " in table
    assert "expected the package onnxruntime-gpu" in report["not_run"]["half.onnx · ONNX Runtime · cuda"]
    assert "not run: half.onnx · ONNX Runtime · tensorrt: " in table
    drawn = ET.parse(tmp_path / "out.svg").getroot()
    assert drawn.tag.endswith("svg")


def test_the_shipped_model_is_measured_by_default(disc_300w: Path, tmp_path: Path) -> None:
    words = ("bench-engine", "--data", disc_300w, "--split", "challenging", "--seconds", "0", "--faces", "2")
    result = done(*words, "--json", "-", "--plot", tmp_path / "out.png")
    assert list(json.loads(result.stdout)["engines"]) == [f"{DEFAULT_LANDMARKS}.onnx · ONNX Runtime · cpu"]
    assert cv2.imread(str(tmp_path / "out.png")) is not None


def test_what_cannot_be_compared_is_named(clip: Clip, disc_300w: Path, tmp_path: Path) -> None:
    words = ("bench-engine", "--data", disc_300w, "--split", "challenging", "--seconds", "0", "--weights")
    (tmp_path / "broken.onnx").write_text("no model")
    assert "broken.onnx: not an ONNX model" in message(run(*words, tmp_path / "broken.onnx"), 4)
    assert "expected .onnx" in message(run(*words, disc_300w / "ibug" / "image_0.pts"), 4)
    assert "missing.mp4: no such file" in message(run("bench-engine", "--data", tmp_path / "missing.mp4"), 3)
    assert "disc.mp4: no face in it" in message(run("bench-engine", "--data", clip.path), 3)
    assert "expected the published layout" in message(run("bench-engine", "--data", disc_300w), 6)

"""Eyes on the command line: read on request, in every output, and off where a model has no lids."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from startrack.engines.base import ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.engines.zoo import EYES
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from tests.commands.invoke import BOX, done, message, run, usage
from tests.conftest import Clip
from tests.tracker.disc_world import disc_engine
from tests.tracker.eyes.made_eyes import fake_engine


@pytest.fixture
def shipped_eyes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model file of eyes that is there, and an engine in its place."""
    file = tmp_path / f"{EYES['research']}.onnx"
    file.touch()
    monkeypatch.setattr("startrack.engines.zoo.zoo_path", lambda name: file)
    monkeypatch.setattr("startrack.engines.load_eyes", lambda path, threads: fake_engine())


@pytest.mark.usefixtures("shipped_eyes")
@pytest.mark.parametrize("ahead", ["0", "5"])
def test_eyes_are_in_every_table(clip: Clip, tmp_path: Path, ahead: str) -> None:
    outputs = ["--csv", tmp_path / "o.csv", "--jsonl", tmp_path / "o.jsonl", "--save-video", tmp_path / "o.mp4"]
    done("track", clip.path, "--init-box", BOX, "--eyes", "--gaze-offset", "0.1", "--lookahead", ahead, *outputs)
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    assert len(rows) == 10
    assert list(rows[0])[5] == "gaze_0_x"
    assert all(abs(float(row["gaze_angle_x"])) < 0.2 for row in rows)
    frames = list(read_jsonl(tmp_path / "o.jsonl"))
    assert all(face.eyes is not None for frame in frames for face in frame.faces)
    record = json.loads((tmp_path / "o.jsonl").read_text().splitlines()[0])
    assert "eyeLookUpLeft" in record["faces"][0]["blendshapes"]


@pytest.mark.usefixtures("shipped_eyes")
def test_without_eyes_nothing_of_them_is_written(clip: Clip, tmp_path: Path) -> None:
    for name, words in (("off", ["--no-eyes"]), ("plain", [])):
        done("track", clip.path, "--init-box", BOX, *words, "--csv", tmp_path / f"{name}.csv", "--jsonl",
             tmp_path / f"{name}.jsonl")  # fmt: skip
    assert "gaze" not in (tmp_path / "off.csv").read_text()
    assert "eyeLook" not in (tmp_path / "off.jsonl").read_text()
    done("track", clip.path, "--init-box", BOX, "--eyes", "--csv", tmp_path / "on.csv")
    assert "gaze" in (tmp_path / "on.csv").read_text()


@pytest.mark.usefixtures("shipped_eyes")
def test_a_markup_without_lids_is_said_in_one_line(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    discs = disc_engine()
    spec = ModelSpec("plain", "points_68", 68, 64, 16, 1.25)
    monkeypatch.setattr(
        "startrack.engines.load_engine", lambda path, device, threads: FakeEngine(spec, lambda crops: discs(crops))
    )
    weights = tmp_path / "plain.onnx"
    weights.touch()
    out = ["--init-box", BOX, "--weights", weights, "--overwrite", "--csv", tmp_path / "o.csv"]
    lines = done("track", clip.path, "--eyes", *out).stderr.splitlines()
    expected = "startrack: eyes are not read: the model gives points_68 landmarks; expected ibug_68 or wflw_98"
    assert lines.count(expected) == 1
    assert not any("eyes" in line for line in done("track", clip.path, *out).stderr.splitlines())
    assert "gaze" not in (tmp_path / "o.csv").read_text()


def test_eyes_that_are_not_shipped_are_an_error_on_request_only(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("startrack.engines.zoo.zoo_path", lambda name: tmp_path / f"{name}.onnx")
    weights = tmp_path / "discs.onnx"
    weights.touch()
    given = ["--init-box", BOX, "--weights", weights, "--csv", tmp_path / "o.csv"]
    result = run("track", clip.path, "--eyes", *given)
    assert "no eye model in this installation: expected" in message(result, 4)
    done("track", clip.path, *given)


def test_an_offset_without_eyes_is_refused(clip: Clip) -> None:
    assert "there is no gaze with --no-eyes" in usage(run("track", clip.path, "--no-eyes", "--gaze-offset", "2"))

"""--licence free: no model takes part that is not free for any use, in any command that names one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from startrack.engines import zoo
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker import pipeline, signals
from startrack.tracker.shape.evidence import Evidence
from startrack.tracker.signals.usual_faces import RENDERED_FACES
from tests.commands.invoke import BOX, done, message, run, shipped, usage
from tests.conftest import Clip
from tests.engines.made_provenance import write_provenance

RESEARCH = "is for non-commercial research only; expected "


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the free models are looked for: nowhere yet."""
    made = tmp_path / "zoo"
    made.mkdir()
    where = {name: made / f"{name}.onnx" for name in ("free", "free-detector")}
    monkeypatch.setattr(zoo, "zoo_path", lambda name: where.get(name) or zoo_path(name))
    return made


def stand_ins(folder: Path) -> None:
    """Shipped models by the free ones' names."""
    for name, model in (("free", "compact-300w-small"), ("free-detector", "face-detector")):
        for suffix in (".onnx", ".json"):
            shutil.copy(zoo_path(model).with_suffix(suffix), folder / f"{name}{suffix}")
        write_provenance(folder / f"{name}.onnx", "free")


@pytest.mark.parametrize(
    "words", [("--model", "free"), ("--licence", "free"), ("--model", "free", "--licence", "free")]
)
def test_without_free_models_it_says_so(words: tuple[str, ...], clip: Clip, folder: Path, disc_300w: Path) -> None:
    lines = [
        message(run("track", clip.path, *words), 4),
        message(run("bench", clip.path, *words), 4),
        message(run("evaluate", "--data", disc_300w, *words), 4),
        message(run("bench-stability", "--data", disc_300w, *words), 4),
    ]
    for line in lines:
        assert "no free model in this installation: expected " in line
        assert line.endswith("free.onnx")


@shipped
def test_with_them_they_are_taken(clip: Clip, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins(folder)
    measured_by: list[object] = []

    def spy(module: object, name: str, keyword: str) -> None:
        real = getattr(module, name)

        def call(*given: object, **more: object) -> object:
            measured_by.append(more[keyword])
            return real(*given, **more)

        monkeypatch.setattr(module, name, call)

    spy(signals, "SignalStage", "faces")
    spy(pipeline, "options_for", "evidence")
    for words in (("--model", "free"), ("--licence", "free")):
        out = tmp_path / f"{words[1]}{len(words[0])}.jsonl"
        done("track", clip.path, *words, "--jsonl", out)
        assert out.is_file()
    assert measured_by == [Evidence(shapes="free"), RENDERED_FACES] * 2
    (folder / "free-detector.onnx").unlink()
    line = message(run("track", clip.path, "--model", "free"), 4)
    assert line.endswith("free-detector.onnx")
    # a box given by hand needs none
    done("track", clip.path, "--model", "free", "--init-box", BOX)


@shipped
def test_what_is_not_free_is_refused(clip: Clip, folder: Path) -> None:
    stand_ins(folder)
    free = ("track", clip.path, "--licence", "free")
    assert f"model 'm' {RESEARCH}'free'" in message(run(*free, "--model", "m"), 4)
    assert f"{DEFAULT_LANDMARKS}.onnx {RESEARCH}" in message(run(*free, "--weights", zoo_path(DEFAULT_LANDMARKS)), 4)
    detector = ("--detector-model", zoo_path("face-detector"))
    assert f"face-detector.onnx {RESEARCH}" in message(run(*free, *detector), 4)
    assert "'yunet' is not known to be free" in usage(run(*free, "--detector", "yunet"))
    assert "what a server's model may be used for" in usage(run(*free, "--engine", "triton://127.0.0.1:1/m"))
    # a model of one's own
    own = shutil.copy(zoo_path("compact-300w-small"), folder / "own.onnx")
    shutil.copy(zoo_path("compact-300w-small").with_suffix(".json"), folder / "own.json")
    done(*free, "--weights", own)


def test_an_unknown_licence_is_a_wrong_usage(clip: Clip) -> None:
    assert "'beer'" in usage(run("track", clip.path, "--licence", "beer"))
    assert "expected s, m, l, free" in usage(run("track", clip.path, "--model", "xl"))

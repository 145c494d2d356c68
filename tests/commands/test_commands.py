"""The other commands, and the command line as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from tests.commands.invoke import BOX, ROOT, disc_picture, done, message, run, shipped, times_of, usage
from tests.conftest import Clip, MakeClip


def test_demo_measures_the_known_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    from startrack.tracker.session import demo

    make = demo.make_demo_clip
    monkeypatch.setattr(demo, "make_demo_clip", lambda path, seconds: make(path, seconds=seconds, size=(160, 90)))
    result = done("demo", "--out", tmp_path / "out", "--seconds", "1")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"portrait.mp4", "tracked.mp4", "tracked.jsonl"}
    # a portrait is no disc
    assert "distance from the known motion: " in result.stdout


def test_a_folder_that_cannot_be_made_is_named(clip: Clip) -> None:
    line = message(run("demo", "--out", clip.path / "demo"), 5)
    assert line == f"startrack: {clip.path / 'demo'}: cannot be written: Not a directory"


def test_bench_prints_or_writes_figures(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(frames=34, size=(200, 120), picture=disc_picture).path
    figures = json.loads(done("bench", path).stdout)
    assert (figures["frames"], figures["faces_per_frame"]) == (4, 1.0)
    assert done("bench", path, "--json", tmp_path / "out.json").stdout == ""
    assert set(json.loads((tmp_path / "out.json").read_text())) == set(figures)


def test_bench_needs_frames_to_warm_up(clip: Clip) -> None:
    assert "disc.mp4: 10 frames; expected more than 30" in message(run("bench", clip.path), 3)


def test_evaluate_writes_figures_plot_and_sheet(disc_300w: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = {name: tmp_path / name for name in ("out.json", "ced.png", "worst.png")}
    result = done(
        "evaluate", "--dataset", "300w", "--data", disc_300w, "--split", "challenging", "--json", paths["out.json"],
        "--plot", paths["ced.png"], "--worst", paths["worst.png"],
    )  # fmt: skip
    assert "| challenging |" in result.stdout
    figures = json.loads(paths["out.json"].read_text())
    assert {"nme", "fr5", "fr8", "fr10", "auc5", "auc8", "auc10"} <= set(figures)
    assert figures["faces"] == 3
    assert figures["nme"] < 5
    for name in ("ced.png", "worst.png"):
        assert cv2.imread(str(paths[name])) is not None


def test_evaluate_gives_figures_alone_on_request(disc_300w: Path) -> None:
    result = done("evaluate", "--data", disc_300w, "--split", "challenging", "--json", "-")
    assert json.loads(result.stdout)["faces"] == 3


def test_evaluate_names_what_is_wrong(disc_300w: Path) -> None:
    assert "no split 'test'; expected one of" in message(run("evaluate", "--data", disc_300w, "--split", "test"), 6)
    assert "expected the published layout of 300W" in message(run("evaluate", "--data", disc_300w), 6)
    for option in ("--json", "--plot", "--worst"):
        line = message(run("evaluate", "--data", disc_300w, option, disc_300w / "nowhere" / "out.png"), 5)
        assert "there is no folder" in line
    assert "expected a name ending in .png" in usage(run("evaluate", "--data", disc_300w, "--plot", "ced.txt"))
    assert "'aflw'" in usage(run("evaluate", "--data", disc_300w, "--dataset", "aflw"))


def test_train_hands_recipe_and_options_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from startrack.train import recipes
    from startrack.train.loop import trainer

    given: list[object] = []

    def train(*arguments: object) -> Path:
        given.extend(arguments)
        return tmp_path / "weights.safetensors"

    def recipe(data: Path, *, seed: int, epochs: int = 9, backgrounds: Path | None = None) -> tuple[object, ...]:
        return data, seed, epochs, backgrounds

    monkeypatch.setitem(recipes.RECIPES, "compact-300w", recipe)
    monkeypatch.setattr(trainer, "train", train)
    words = ("train", "--recipe", "compact-300w", "--data", "300w", "--out", tmp_path / "run")
    assert done(*words, "--epochs", "3", "--resume").stdout == f"weights: {tmp_path / 'weights.safetensors'}\n"
    assert given[0] == (Path("300w"), 0, 3, None)
    assert given[1] == trainer.TrainingOptions(out=tmp_path / "run", resume=True)

    def fail(*_: object) -> Path:
        raise trainer.TrainingError("step 7: the loss is not finite")

    monkeypatch.setattr(trainer, "train", fail)
    assert message(run(*words), 1) == "startrack: step 7: the loss is not finite"


def test_train_shows_faces_twice_where_the_recipe_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from startrack.train import recipes
    from startrack.train.loop import trainer
    from startrack.train.recipes import compact

    given: list[object] = []
    monkeypatch.setitem(recipes.RECIPES, "compact-300w", lambda data: data)
    monkeypatch.setattr(trainer, "train", lambda recipe, _: given.append(recipe))
    monkeypatch.setattr(compact, "steady", lambda recipe, seed: ("twice", recipe, seed))
    words = ("train", "--recipe", "compact-300w", "--data", "300w", "--out", tmp_path / "run", "--seed", "7")
    done(*words)
    done(*words, "--steady")
    assert given == [Path("300w"), ("twice", Path("300w"), 7)]

    def refuse(*_: object) -> None:
        raise ValueError("the recipe has a loss of its own")

    monkeypatch.setattr(compact, "steady", refuse)
    assert "Invalid value for --steady: the recipe has a loss of its own" in usage(run(*words, "--steady"))


def test_train_names_what_is_wrong(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    words = ("--data", tmp_path / "300w", "--out", tmp_path / "run")
    assert "'star'; expected one of compact-300w" in usage(run("train", "--recipe", "star", *words))
    assert "afw: no such folder; expected the published" in message(run("train", "--recipe", "compact-300w", *words), 6)
    pretrained = ("--pretrained", tmp_path / "none.pth")
    assert "none.pth: not weights" in message(run("train", "--recipe", "hrnet-300w", *words, *pretrained), 4)
    assert "hrnet-300w-small has none" in usage(run("train", "--recipe", "hrnet-300w-small", *words, *pretrained))
    if not torch.cuda.is_available():
        line = message(run("evaluate", "--data", tmp_path, "--weights", "no.safetensors"), 4)
        assert "no.safetensors: not a readable .safetensors checkpoint" in line


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "startrack.train.recipes.load", raising=False)
    monkeypatch.delitem(sys.modules, "startrack.engines.torch_engine", raising=False)
    line = message(run("evaluate", "--data", tmp_path, "--weights", "weights.safetensors"), 4)
    assert line == "startrack: torch is not installed; expected: pip install 'startrack[train]'"


def test_export_never_replaces_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    (tmp_path / "out.onnx").write_text("mine")
    words = ("export", "--weights", tmp_path / "weights.safetensors", "--out")
    assert "out.onnx: exists already" in message(run(*words, tmp_path / "out.onnx"), 5)
    assert "expected a name ending in .onnx" in usage(run(*words, tmp_path / "out.json"))
    assert "weights.safetensors: not a readable" in message(run(*words, tmp_path / "new.onnx"), 4)


def test_fetch_models_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("startrack.tracker.detect.fetch.fetch_models", lambda dest: dest / "detector.tflite")
    assert done("fetch-models", "--dest", tmp_path).stdout == f"{tmp_path / 'detector.tflite'}\n"


def test_doctor_gives_a_line_for_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    from startrack.commands.shared import machine as doctor
    from startrack.commands.shared.machine import Check, Report, Status

    extra, lacking = "optional: pip install 'startrack[train]'", Check("numpy", Status.MISSING, "gone", required=True)
    report = Report((Check("python", Status.OK, "3.11"), Check("torch", Status.MISSING, extra)))
    monkeypatch.setattr(doctor, "diagnose", lambda **_: report)
    lines = done("doctor").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", "python"], ["missing", "torch"]]
    assert lines[1].endswith(extra)
    monkeypatch.setattr(doctor, "diagnose", lambda **_: Report((lacking,)))
    assert run("doctor").exit_code == 4


def process(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(str(word) for word in words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


@shipped
def test_tracking_loads_no_heavy_package_and_writes_plain_text(clip: Clip, disc_300w: Path, tmp_path: Path) -> None:
    program = """
import sys
from startrack.commands.app import app
for words in sys.argv[1:]:
    try:
        app(words.split("|"))
    except SystemExit as leaving:
        assert not leaving.code, words
print([name for name in ("torch", "mediapipe", "matplotlib", "tensorrt") if name in sys.modules])
"""
    track = f"track|{clip.path}|--init-box|{BOX}|--csv|{tmp_path / 'out.csv'}|--save-video|{tmp_path / 'out.mp4'}"
    evaluate = f"evaluate|--data|{disc_300w}|--split|challenging"
    ended = process("-c", program, "--help", track, evaluate)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"
    (line,) = ended.stderr.splitlines()
    assert line.startswith("10 frames in ")
    assert line.isprintable()


@pytest.mark.parametrize("entry", [("cli.py",), ("-m", "startrack")], ids=" ".join)
def test_exit_codes_reach_the_shell(entry: tuple[str, ...]) -> None:
    ended = process(*entry, "track", "missing.mp4", "--init-box", "1,1,9,9", "--weights", "missing.onnx")
    assert ended.returncode == 4
    assert ended.stdout == ""
    assert ended.stderr == "startrack: missing.onnx: no such model file; expected a .onnx or .plan model\n"


@shipped
@pytest.mark.parametrize(("name", "word", "code"), [
    ("SIGINT", "interrupted", 130), ("SIGTERM", "terminated", 143), ("SIGHUP", "hung up", 129)
])  # fmt: skip
def test_a_signal_finishes_the_outputs(name: str, word: str, code: int, make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=1500, size=(64, 48))
    # a shell that runs the tests in the background has Ctrl-C ignored, which a child inherits
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "[signal.signal(s, signal.SIG_DFL) for s in (signal.SIGTERM, signal.SIGHUP)]; "
        "from startrack.commands.app import app; app()"
    )
    words = ("--realtime", "--init-box", "9,9,30,30", "--save-video", tmp_path / "out.mp4", "--jsonl", tmp_path / "out")
    command = [sys.executable, "-c", program, "track", clip.path, *words]
    with subprocess.Popen([str(word) for word in command], cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 100
        while not (tmp_path / "out").exists() or len((tmp_path / "out").read_bytes().splitlines()) < 5:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(getattr(signal, name))
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert stderr.splitlines()[-1] == f"startrack: {word}"
    frames = list(read_jsonl(tmp_path / "out"))
    assert len(frames) == len(times_of(tmp_path / "out.mp4"))


def test_bench_stability_names_what_is_wrong(disc_300w: Path) -> None:
    words = ("bench-stability", "--data", disc_300w, "--split", "challenging")
    assert "'dance'; expected still, slow" in usage(run(*words, "--scenario", "dance"))
    assert "'soft'; expected kalman, one-euro, none" in usage(run(*words, "--smooth", "soft"))
    assert "'ibug'; expected 300w" in usage(run(*words, "--dataset", "ibug"))
    # discs of 60 pixels are no faces that could be set in motion
    assert "0 of 3 faces can be set in motion, 1 asked for" in message(run(*words, "--faces", "1"), 6)


@pytest.mark.usefixtures("real_models")
@shipped
def test_calibrate_writes_a_model_that_tracks(disc_300w: Path, tmp_path: Path) -> None:
    out = tmp_path / "honest.onnx"
    words = ("calibrate", "--weights", zoo_path(DEFAULT_LANDMARKS), "--data", disc_300w, "--out", out)
    result = done(*words, "--split", "challenging")
    assert "plain faces: 50% ellipses held" in result.stdout
    assert "covered faces: 90% ellipses held" in result.stdout
    assert out.with_suffix(".json").is_file()
    assert "exists already; expected a new name, or --overwrite" in message(run(*words), 5)
    assert "'ibug'; expected 300w" in usage(run(*words, "--dataset", "ibug", "--overwrite"))

"""Tables, aligned faces and the help of `track`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.invoke import ROOT, done, run, shipped, usage
from tests.conftest import Clip, MakeClip

PANELS = ("Source", "Models", "Faces", "Outputs", "Live", "Avatars", "Many videos")


def test_the_help_has_panels_what_is_written_and_examples() -> None:
    text = done("track", "--help").stdout
    titles = [line.split()[1:-1] for line in text.splitlines() if line.startswith("╭")]
    assert {" ".join(words) for words in titles} >= set(PANELS)
    lines = [line.strip() for line in text.splitlines()]
    assert any(line.startswith("If no output is named, nothing is written") for line in lines)
    assert lines.index("Examples:") > max(number for number, line in enumerate(lines) if line.startswith("╰"))


def test_examples_of_the_help_parse() -> None:
    import shlex

    import typer

    from startrack.commands.app import EXAMPLES, app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert len(EXAMPLES) >= 4
    for line in EXAMPLES:
        program, name, *words = shlex.split(line, comments=True)
        assert program == "startrack"
        commands[name].make_context(name, words)


def completed(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    line = {"COMP_WORDS": " ".join(("startrack", *words)), "COMP_CWORD": str(len(words))}
    ended = subprocess.run(
        [sys.executable, "-m", "startrack"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | line | {"_STARTRACK_COMPLETE": "complete_bash"},
    )  # fmt: skip
    return ended.stdout.split()


def test_the_shell_completes_commands_and_options() -> None:
    assert completed("eval") == ["evaluate", "eval-300vw"]
    assert completed("track", "--par") == ["--parquet"]
    assert "--install-completion" in done("--help").stdout


def test_tables_and_aligned_faces(clip: Clip, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table, lines, crops = (tmp_path / name for name in ("out.parquet", "out.csv", "crops"))
    done(
        "track", clip.path, "--parquet", table, "--csv", lines, "--fields", "box,points", "--save-crops", crops,
        "--crop-size", "48", "--crop-margin", "0.3",
    )  # fmt: skip
    read = pandas.read_parquet(table)
    assert list(read["frame"]) == list(range(10))
    assert list(read.columns) == ["frame", "time_s", "id", "presence", "left", "top", "right", "bottom"] + [
        f"{axis}_{k}" for axis in "xy" for k in range(68)
    ]
    assert lines.read_text().startswith("frame, face_id, timestamp, confidence, success, left, top, right, bottom, x_0")
    assert len(list(crops.glob("frame_det_00_*.png"))) == 10


def test_fields_are_checked_before_anything_is_opened(clip: Clip, tmp_path: Path) -> None:
    line = usage(run("track", clip.path, "--csv", tmp_path / "out.csv", "--fields", "smile"))
    assert "smile; expected some of box,points" in line
    assert "expected --jsonl, --csv or --parquet, too" in usage(run("track", clip.path, "--fields", "pose"))
    assert list(tmp_path.glob("out*")) == []


def test_a_run_without_an_output_says_so(clip: Clip) -> None:
    assert "no output is named" in done("track", clip.path).stderr
    assert "no output is named" not in done("track", clip.path, "--summary", "-").stderr


@shipped
def test_several_videos_have_tables_and_faces_of_their_own(make_clip: MakeClip, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    videos = [make_clip(name, frames=2).path for name in ("a.mp4", "b.mp4")]
    done("track", *videos, "--parquet", tmp_path / "out", "--save-crops", tmp_path / "faces", "--jobs", "1")
    assert {path.name for path in (tmp_path / "out").glob("*.parquet")} == {"a.parquet", "b.parquet"}
    assert {path.name for path in (tmp_path / "faces").iterdir()} >= {"a_aligned", "b_aligned"}


def test_a_report_of_the_run(clip: Clip, tmp_path: Path) -> None:
    done("track", clip.path, "--report", tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<title>disc.mp4</title>" in text
    assert "10, 10 of them with a face" in text

"""`track` with several videos: real processes, and Dask's workers where it is installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from startrack.tracker.sinks.jsonl_sink import read_jsonl
from startrack.tracker.video.source import read_video
from tests.commands.invoke import done, message, run, shipped, usage
from tests.conftest import MakeClip

ROOT = Path(__file__).parents[3]
pytestmark = shipped


def test_every_video_has_its_outputs_and_one_bad_file_stops_no_other(make_clip: MakeClip, tmp_path: Path) -> None:
    good = [make_clip(name, frames=4).path for name in ("a.mp4", "b.mp4")]
    bad, out = tmp_path / "bad.mp4", tmp_path / "out"
    bad.write_text("no video")
    words = ("track", *good, bad, "--jsonl", out, "--csv", out, "--jobs", "2")
    result = run(*words, "--summary", tmp_path / "all.json")
    assert result.exit_code == 7
    assert result.stderr.splitlines()[-1] == "startrack: 1 of 3 videos could not be tracked"
    assert f"{bad}: not a video" in result.stderr
    for name in "ab":
        assert len(list(read_jsonl(out / f"{name}.jsonl"))) == 4
        assert len((out / f"{name}.csv").read_text().splitlines()) == 5
    told = {Path(one["source"]).stem: one for one in json.loads((tmp_path / "all.json").read_text())}
    assert told["a"]["summary"]["frames"] == 4
    assert told["bad"]["failure"].startswith(str(bad))
    before = (out / "a.jsonl").stat().st_mtime_ns
    bad.unlink()
    make_clip("bad.mp4", frames=2)
    again = done(*words)
    assert again.stderr.count("done before") == 2
    assert (out / "a.jsonl").stat().st_mtime_ns == before
    assert len(list(read_jsonl(out / "bad.jsonl"))) == 2


def test_outputs_of_others_are_kept(make_clip: MakeClip, tmp_path: Path) -> None:
    videos = [make_clip(name, frames=2).path for name in ("a.mp4", "b.mp4")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.jsonl").write_text("mine")
    result = run("track", *videos, "--jsonl", tmp_path / "out")
    assert "b.jsonl: exists already; expected another folder, or --overwrite" in message(result, 5)
    assert (tmp_path / "out" / "b.jsonl").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--show", "window", "--jsonl", "out"), "is for one video"),
        (("--vmc", "localhost", "--jsonl", "out"), "is for one video"),
        ((), "several videos need a folder for their outputs"),
        (("--jsonl", "out.jsonl"), "expected a folder, as there are several videos"),
        (("--jsonl", "-"), "expected a folder, as there are several videos"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert what in usage(run("track", "a.mp4", "b.mp4", *options))


def test_two_videos_of_one_name_keep_their_folders(make_clip: MakeClip, tmp_path: Path) -> None:
    videos = []
    for folder in ("s1", "s2"):
        (tmp_path / folder).mkdir()
        videos.append(make_clip(f"{folder}/video.mp4", frames=2).path)
    done("track", *videos, "--jsonl", tmp_path / "out", "--jobs", "1")
    for folder in ("s1", "s2"):
        assert len(list(read_jsonl(tmp_path / "out" / folder / "video.mp4.jsonl"))) == 2


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_batch_stops_at_once_and_goes_on_where_it_was(name: str, make_clip: MakeClip, tmp_path: Path) -> None:
    videos = [str(make_clip(f"{letter}.mp4", frames=900).path) for letter in "abcd"]
    out = tmp_path / "out"
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from startrack.commands.app import app; app()"
    )
    words = ["track", *videos, "--jsonl", str(out), "--save-video", str(out), "--jobs", "2"]
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        deadline = time.monotonic() + 100
        while not (out / "a.jsonl").exists() or len((out / "a.jsonl").read_bytes().splitlines()) < 5:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # the terminal sends Ctrl-C to every process, whoever ends a service to one
        (os.killpg if name == "SIGINT" else os.kill)(running.pid, getattr(signal, name))
        began = time.monotonic()
        _, stderr = running.communicate(timeout=100)
    assert time.monotonic() - began < 30
    assert running.returncode == {"SIGINT": 130, "SIGTERM": 143}[name]
    assert "Traceback" not in stderr
    assert not (out / "d.jsonl").exists()
    lines = len(list(read_jsonl(out / "a.jsonl")))
    assert 0 < lines < 900
    with read_video(out / "a.mp4") as video:
        assert sum(1 for _ in video) == lines
    again = done(*words)
    assert again.stderr.count("done before") == 0
    assert [len(list(read_jsonl(out / f"{letter}.jsonl"))) for letter in "abcd"] == [900] * 4


@pytest.mark.slow
def test_workers_of_a_dask_scheduler(make_clip: MakeClip, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    videos = [make_clip(name, frames=3).path for name in ("a.mp4", "b.mp4")]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        done("track", *videos, "--jsonl", tmp_path / "out", "--dask", cluster.scheduler_address)
    assert [len(list(read_jsonl(tmp_path / "out" / f"{name}.jsonl"))) for name in "ab"] == [3, 3]

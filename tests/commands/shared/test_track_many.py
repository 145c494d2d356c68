"""`track` with several videos: real processes, and Dask's workers where it is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from startrack.tracker.sinks.jsonl_sink import read_jsonl
from tests.commands.invoke import done, message, run, shipped, usage
from tests.conftest import MakeClip

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


def test_two_videos_of_one_name(tmp_path: Path) -> None:
    result = run("track", "x/a.mp4", "y/a.mov", "--jsonl", tmp_path)
    assert "several videos are called 'a'" in message(result, 5)


@pytest.mark.slow
def test_workers_of_a_dask_scheduler(make_clip: MakeClip, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    videos = [make_clip(name, frames=3).path for name in ("a.mp4", "b.mp4")]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        done("track", *videos, "--jsonl", tmp_path / "out", "--dask", cluster.scheduler_address)
    assert [len(list(read_jsonl(tmp_path / "out" / f"{name}.jsonl"))) for name in "ab"] == [3, 3]

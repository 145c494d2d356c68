"""eval-300vw and make-300vw from the command line: discs in place of faces."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.session import workers
from startrack.tracker.session.workers import WorkerDiedError
from startrack.tracker.video.base import SourceError
from startrack.train.sets.pts import write_pts
from tests.commands.invoke import disc_picture, done, message, run, usage
from tests.conftest import MakeClip
from tests.tracker.disc_world import SHAPE

FRAMES = 21


@pytest.fixture
def made(tmp_path: Path, make_clip: MakeClip) -> Path:
    """Videos 114 (category 1), 411 (category 3, of which 19 and 20 are excluded) and 203, in which nothing is."""
    root = tmp_path / "300vw"
    for video_id in ("114", "203", "411"):
        (root / video_id / "annot").mkdir(parents=True)
        empty = (
            {} if video_id != "203" else {"picture": lambda index, width, height: np.zeros((height, width, 3), "u1")}
        )
        clip = make_clip("vid.avi", frames=FRAMES, size=(200, 120), **({"picture": disc_picture} | empty))
        clip.path.rename(root / video_id / "vid.avi")
        for number in range(1, FRAMES + 1):
            points = np.array([84.0 + number, 60]) + SHAPE * 25
            write_pts(root / video_id / "annot" / f"{number:06d}.pts", points)
    return root


def results(out: Path) -> dict:
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_the_tracker_on_a_part_of_the_set(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = done("eval-300vw", "--data", made, "--out", out, "--mode", "tracker", "--smooth", "none", "--jobs", 1)
    assert "300VW, partial: category1 1 of 31 videos, 21 of 62135 scored frames" in said.stdout
    assert "203: the face was never found" in said.stderr
    found = results(out)
    assert found["data"].startswith("300VW, partial")
    assert found["settings"]["mode"] == "tracker"
    assert len([line for line in found["problems"] if line.endswith(": missing")]) == 61
    assert set(found["categories"]) == {"category1", "category2", "category3", "all"}
    everything = found["categories"]["all"]
    assert everything["counts"]["scored"] == 3 * FRAMES - 2
    assert everything["68_inter_ocular"]["fr10"] == pytest.approx(100 * 21 / 61, abs=1e-3)
    assert everything["coverage"] == pytest.approx(100 * 40 / 61, abs=1e-3)
    assert found["categories"]["category2"]["68_inter_ocular"]["nme"] is None
    assert found["videos"]["411"]["scored"] == 19
    rows = list(csv.DictReader((out / "videos.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["video"] for row in rows] == ["114", "203", "411"]
    assert rows[1]["nme_68_inter_ocular"] == ""
    assert float(rows[0]["nme_68_inter_ocular"]) < 5


def test_the_report_needs_no_network(made: Path, tmp_path: Path) -> None:
    done("eval-300vw", "--data", made, "--out", tmp_path / "out", "--jobs", 1)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert set(re.findall(r"https?://[^\"< ]+", page)) == {"http://www.w3.org/2000/svg"}
    # 11 methods by NME and 6 by AUC, none of them verified
    assert page.count("<td>unverified</td>") == 17
    assert "[RECALL]" in page
    assert page.count("<img") > 2
    assert (tmp_path / "out" / "ced.svg").read_text(encoding="utf-8").count("<polyline") == 3


def test_what_is_done_is_not_done_again(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval-300vw", "--data", made, "--out", tmp_path / "out", "--jobs", 1)
    done(*words)
    before = results(tmp_path / "out")
    (tmp_path / "out" / "videos" / "203.npz").unlink()
    opened = []

    def refuse(path: object, device: str, threads: int) -> None:
        opened.append(path)
        raise InterruptedError

    monkeypatch.setattr("startrack.engines.load_engine", refuse)
    run(*words)
    # the one that is missing, and no other
    assert len(opened) == 1
    monkeypatch.undo()
    run(*words, "--split", "category1")
    assert results(tmp_path / "out")["videos"]["114"] == before["videos"]["114"]


def test_wrong_usage_and_a_folder_without_videos(made: Path, tmp_path: Path) -> None:
    words = ("eval-300vw", "--data", made, "--out", tmp_path / "out", "--jobs", 1)
    assert "is of --mode oracle" in usage(run(*words, "--mode", "tracker", "--flip"))
    (tmp_path / "empty").mkdir()
    said = message(run("eval-300vw", "--data", tmp_path / "empty", "--out", tmp_path / "out"), 6)
    assert "none of the 64 videos of 300VW test; expected folders like 114" in said


def test_a_worker_that_dies_and_an_error_in_one_are_named(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[Exception] = [WorkerDiedError("its worker died"), SourceError("vid.avi: no frames")]

    def ending(ids: Sequence[str], work: object, open_pool: object, *, at_once: int) -> Iterator[tuple[str, Exception]]:
        assert (list(ids), at_once) == (["114", "203", "411"], 2)
        yield ids[0], ends.pop(0)

    monkeypatch.setattr(workers, "run_in_pool", ending)
    words = ("eval-300vw", "--data", made, "--out", tmp_path / "out", "--jobs", 2)
    assert "video 114: its worker died; expected memory for 2 videos" in message(run(*words), 4)
    assert message(run(*words), 3) == "startrack: vid.avi: no frames"

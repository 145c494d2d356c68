"""Real runs with OpenCV's windows, on a display of their own where Xvfb is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from startrack.tracker.screen import window
from tests.commands.invoke import ROOT, shipped
from tests.conftest import MakeClip
from tests.xvfb import frames_until_q, on_x11, open_display

TRACK = """
import sys
from startrack.commands.app import app
try:
    app(["track", *sys.argv[1:]])
except SystemExit as end:
    assert not end.code, end.code
print(*[name for name in sys.modules if name in ("cv2", "av")])
"""
FRAMES = 1500
"""More than are tracked before the key arrives."""

pytestmark = shipped


@pytest.mark.parametrize("options", [[], ["--save-video", "out.mp4"]], ids=["plain", "video"])
def test_a_run_loads_opencv_before_pyav(make_clip: MakeClip, tmp_path: Path, options: list[str]) -> None:
    command = [sys.executable, "-c", TRACK, str(make_clip().path), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["cv2", "av"]


@on_x11
@pytest.mark.timeout(400)
def test_q_ends_a_clip_in_a_window(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=FRAMES, size=(160, 120)).path
    command = [sys.executable, str(ROOT / "cli.py"), "track", str(clip), "--show", "window", "--realtime"]
    assert 0 < frames_until_q(command, f"startrack: {clip}", tmp_path) < FRAMES


@on_x11
def test_the_probe_finds_that_a_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "_import_order", lambda: ["cv2", "av"])
    with open_display() as display:
        monkeypatch.setenv("DISPLAY", display)
        assert window.window_problem() is None


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="windows are tried on Linux only")


@linux
@pytest.mark.parametrize("order", [["cv2", "av"], ["av", "cv2"]])
def test_the_probe_imports_in_the_order_of_its_process(monkeypatch: pytest.MonkeyPatch, order: list[str]) -> None:
    others = {name: module for name, module in sys.modules.items() if name not in order}
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "modules", others | dict.fromkeys(order, sys))
    monkeypatch.setattr(window, "PROBE", "raise SystemExit('{order}')")
    assert window.window_problem() == f"OpenCV cannot open a window ({', '.join(order)})"


@linux
@pytest.mark.parametrize(("first", "cure"), [("cv2", ""), ("av", "import cv2 before av")])
def test_a_window_that_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch, first: str, cure: str) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(window, "_import_order", lambda: [first])
    monkeypatch.setattr(window, "PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(window, "PROBE_SECONDS", 0.2)
    problem = window.window_problem()
    assert problem is not None
    assert problem.startswith("OpenCV opened no window within 0.2 s")
    assert cure in problem

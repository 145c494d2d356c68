"""Fresh environments from the package registry: a desktop, a server, and each changed into another."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import MakeClip
from tests.packaging import build
from tests.packaging.build import ROOT, run
from tests.xvfb import frames_until_q, on_x11

MINUTES = 20 * 60.0
SERVER = "opencv-python-headless,onnxruntime"
GPU = "opencv-python-headless,onnxruntime-gpu"

pytestmark = [
    pytest.mark.registry,
    pytest.mark.timeout(2 * MINUTES),
    pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"),
]


def installed(folder: Path, *words: object) -> Path:
    """A fresh environment with the pinned versions of what these words of pip name."""
    python = build.empty_environment(folder / "venv")
    build.install(python, "-c", ROOT / "constraints.txt", *words, timeout=MINUTES)
    return python


def core_wheel(folder: Path) -> Path:
    return build.build_core(ROOT, folder / "core")


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desktop")
    return installed(folder, build.build(ROOT, "wheel", folder / "wheel"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    return installed(folder, f"{core_wheel(folder)}[{SERVER}]")


@pytest.fixture
def clip(tmp_path: Path, make_clip: MakeClip) -> Path:
    portrait = pytest.importorskip("skimage.data").astronaut()
    return make_clip("portrait.mp4", frames=5, size=(512, 512), picture=lambda *_: portrait).path


def check_environment(python: Path, clip: Path, *expected: str) -> None:
    """pip check is clean, every file has one owner, the doctor finds no clash, and a track runs."""
    run(sys.executable, "-m", "pip", "--python", python, "check", cwd=ROOT)
    owners: Counter[str] = Counter()
    names = set()
    for distribution in metadata.distributions(path=[str(build.site_packages(python))]):
        names.add(distribution.metadata["Name"])
        rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
        owners.update(os.path.normpath(path) for path, *_ in rows)
    assert len(owners) > 1000
    assert [path for path, count in owners.items() if count > 1] == []
    assert set(expected) <= names
    folder = clip.parent
    program = python.parent / "startrack"
    report = run(program, "doctor", cwd=folder)
    assert [line for line in report.splitlines() if line.startswith("warning")] == []
    run(program, "track", clip, "--jsonl", "out.jsonl", "--save-video", "out.mp4", "--overwrite", cwd=folder)
    frames = [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(bool(frame.get("faces")) for frame in frames) == 5
    assert (folder / "out.mp4").stat().st_size > 1000


def test_a_desktop(desktop: Path, clip: Path) -> None:
    check_environment(desktop, clip, "startrack", "opencv-python", "onnxruntime")


@on_x11
def test_a_desktop_opens_a_window(desktop: Path, make_clip: MakeClip) -> None:
    clip = make_clip(frames=1500, size=(160, 120)).path
    command = [str(desktop.parent / "startrack"), "track", str(clip), "--show", "window", "--realtime"]
    assert 0 < frames_until_q(command, f"startrack: {clip}", clip.parent) < 1500


def test_a_server(server: Path, clip: Path) -> None:
    check_environment(server, clip, "startrack-core", "opencv-python-headless", "onnxruntime")


def exchange(pip: tuple[object, ...], removed: str, words: str) -> None:
    """The two commands of docs/install.md: startrack-core and other packages take the place of those removed."""
    run(*pip, "uninstall", "--quiet", "--yes", *removed.split(), cwd=ROOT, timeout=MINUTES)
    run(*pip, "install", "--quiet", "-c", ROOT / "constraints.txt", words, cwd=ROOT, timeout=MINUTES)


def test_a_desktop_becomes_a_server(desktop: Path, clip: Path, tmp_path: Path) -> None:
    """After the tests of the desktop, for it changes it; and so do those that follow."""
    pip = (sys.executable, "-m", "pip", "--python", desktop)
    exchange(pip, "startrack opencv-python", f"{core_wheel(tmp_path)}[{SERVER}]")
    check_environment(desktop, clip, "startrack-core", "opencv-python-headless", "onnxruntime")


def test_a_server_gets_onnxruntime_gpu(desktop: Path, clip: Path, tmp_path: Path) -> None:
    """Which runs on the CPU where no GPU is."""
    pip = (sys.executable, "-m", "pip", "--python", desktop)
    exchange(pip, "startrack-core onnxruntime", f"{core_wheel(tmp_path)}[{GPU}]")
    check_environment(desktop, clip, "startrack-core", "opencv-python-headless", "onnxruntime-gpu")


@pytest.mark.skipif(shutil.which("uv") is None, reason="no uv")
def test_uv_installs_a_desktop_and_changes_it(clip: Path, tmp_path: Path) -> None:
    python = build.empty_environment(tmp_path / "venv")
    run("uv", "pip", "install", "-q", "-p", python, "-c", "constraints.txt", ".", cwd=ROOT, timeout=MINUTES)
    check_environment(python, clip, "startrack", "opencv-python", "onnxruntime")
    removed = ("startrack", "opencv-python", "onnxruntime")
    run("uv", "pip", "uninstall", "-q", "--yes", "-p", python, *removed, cwd=ROOT)
    words = ("-c", "constraints.txt", f"./startrack-core[{GPU}]")
    run("uv", "pip", "install", "-q", "-p", python, *words, cwd=ROOT, timeout=MINUTES)
    check_environment(python, clip, "startrack-core", "opencv-python-headless", "onnxruntime-gpu")


@pytest.mark.skipif(shutil.which("uv") is None, reason="no uv")
def test_uv_installs_a_server(clip: Path, tmp_path: Path) -> None:
    python = build.empty_environment(tmp_path / "venv")
    words = ("-c", "constraints.txt", f"./startrack-core[{SERVER}]")
    run("uv", "pip", "install", "-q", "-p", python, *words, cwd=ROOT, timeout=MINUTES)
    check_environment(python, clip, "startrack-core", "opencv-python-headless", "onnxruntime")

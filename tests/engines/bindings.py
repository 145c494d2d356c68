"""NVIDIA's Python bindings as published on PyPI, each version in a folder of its own; they need no GPU.

    python -m tests.engines.bindings FOLDER

downloads them (50 MB, Linux); `make test` does so. The tests look into the folder STARTRACK_BINDINGS, by default
`bindings` inside the virtual environment, and skip what is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TENSORRT = {10: "tensorrt-10.16.1.11", 11: "tensorrt-11.4.0.106"}
CUDA = {12: "cuda-12.8.0", 13: "cuda-13.5.0"}
PACKAGES = {
    TENSORRT[10]: ["tensorrt-cu13-bindings==10.16.1.11"],
    TENSORRT[11]: ["tensorrt-cu13-bindings==11.4.0.106"],
    CUDA[12]: ["cuda-bindings==12.8.0"],
    CUDA[13]: ["cuda-bindings==13.5.0", "cuda-pathfinder==1.9.0"],
}
"""Folder → what pip puts there. tensorrt itself would download the library, gigabytes, from NVIDIA."""


def fetch(folder: Path) -> None:
    """Download what is missing."""
    for name, packages in PACKAGES.items():
        if not (folder / name).is_dir():
            pip = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--no-compile",
            ]
            subprocess.run([*pip, "--target", str(folder / name), *packages], check=True)


def find(name: str) -> Path:
    """The folder of one version; skips the test where it is missing."""
    folder = Path(os.environ.get("STARTRACK_BINDINGS", Path(sys.prefix) / "bindings")) / name
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: python -m tests.engines.bindings {folder.parent}")
    return folder


def run(folder: Path, script: str, *arguments: str) -> str:
    """What a fresh interpreter prints that finds the bindings of one version."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))

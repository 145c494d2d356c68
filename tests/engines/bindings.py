"""NVIDIA's Python bindings as published on PyPI, each version in a folder of its own; they need no GPU.

    python -m tests.engines.bindings FOLDER

downloads them (150 MB, Linux); `make test` does so. TensorRT for RTX comes whole, with its parser and compiler; of
TensorRT there are the bindings alone. The tests look into the folder STARTRACK_BINDINGS, by default
`bindings` inside the virtual environment, and skip what is not there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RTX = "rtx"
TENSORRT: dict[int | str, str] = {
    10: "tensorrt-10.16.1.11",
    11: "tensorrt-11.4.0.106",
    RTX: "tensorrt-rtx-1.7.1.116",
}
"""Major version, or TensorRT for RTX → folder."""
CUDA = {12: "cuda-12.8.0", 13: "cuda-13.5.0"}
PACKAGES = {
    TENSORRT[10]: ["tensorrt-cu13-bindings==10.16.1.11"],
    TENSORRT[11]: ["tensorrt-cu13-bindings==11.4.0.106"],
    TENSORRT[RTX]: ["tensorrt-rtx-cu12-bindings==1.7.1.116", "tensorrt-rtx-cu12-libs==1.7.1.116"],
    CUDA[12]: ["cuda-bindings==12.8.0"],
    CUDA[13]: ["cuda-bindings==13.5.0", "cuda-pathfinder==1.9.0"],
}
"""Folder → what pip puts there. tensorrt itself would download the library, gigabytes, from NVIDIA."""


def fetch(folder: Path) -> int:
    """Download what is missing, and return how many could not be had; each folder appears when it is complete."""
    missing = 0
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--no-compile"]
    for name, packages in PACKAGES.items():
        if not (folder / name).is_dir():
            partial = folder / f".{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            if subprocess.run([*pip, "--target", str(partial), *packages], check=False).returncode:
                print(f"{name}: not to be had; its tests will skip", file=sys.stderr)
                missing += 1
            else:
                partial.rename(folder / name)
    return missing


def find(name: str) -> Path:
    """The folder of one version; skips the test where it is missing."""
    folder = Path(os.environ.get("STARTRACK_BINDINGS", Path(sys.prefix) / "bindings")) / name
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: python -m tests.engines.bindings {folder.parent}")
    return folder


def run(folder: Path, script: str, *arguments: str, timeout_s: float = 60) -> str:
    """Output of a fresh interpreter that finds the bindings of one version."""
    done = start(folder, ["-c", script, *arguments], timeout_s=timeout_s)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    return done.stdout


def start(folder: Path, arguments: list[str], *, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds the bindings of one version: a fault in NVIDIA's libraries ends it alone."""
    path = os.pathsep.join((str(folder), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


if __name__ == "__main__":
    sys.exit(1 if fetch(Path(sys.argv[1])) else 0)

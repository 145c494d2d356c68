"""Wheels built from this tree as it is, and environments to install them in."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*words: object, cwd: Path, variables: dict[str, str] | None = None, code: int = 0, timeout: float = 100) -> str:
    """What a command prints on both streams. It must end with this exit code."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=os.environ | (variables or {}), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    return done.stdout


def build(tree: Path, target: str, folder: Path) -> Path:
    """The sdist or wheel of a tree."""
    folder.mkdir()
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder, cwd=tree)
    (built,) = folder.iterdir()
    return built


def build_core(tree: Path, folder: Path) -> Path:
    """The wheel of startrack-core, by its own backend as pip calls it."""
    folder.mkdir()
    program = "import sys, backend; print(backend.build_wheel(sys.argv[1]))"
    return folder / run(sys.executable, "-c", program, folder, cwd=tree / "startrack-core").strip()


def unpacked_sdist(tree: Path, folder: Path) -> Path:
    """The tree that a tree's sdist holds."""
    with tarfile.open(build(tree, "sdist", folder / "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.name != "sdist")
    return unpacked


def tree_without_links(tree: Path, folder: Path) -> Path:
    """The files of a checkout as git writes them where it may not make links (Windows): a link is a text file."""
    variables = {"GIT_INDEX_FILE": str(folder / "index")}
    run("git", "read-tree", "HEAD", cwd=tree, variables=variables)
    run("git", "add", "--all", cwd=tree, variables=variables)
    copy = folder / "copy"
    run(
        "git",
        "-c",
        "core.symlinks=false",
        "checkout-index",
        "--all",
        f"--prefix={copy}/",
        cwd=tree,
        variables=variables,
    )
    return copy


def record(wheel: Path) -> dict[str, str]:
    """File of a wheel → its hash, from RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(archive.read(name).decode().splitlines()))
    return {path: digest for path, digest, _ in rows if path != name}


def empty_environment(folder: Path) -> Path:
    """A virtual environment without any package: the path of its Python."""
    venv.create(folder, with_pip=False)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python: Path, *words: object, timeout: float = 100) -> None:
    """Install with this environment's pip into another one."""
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *words, cwd=ROOT, timeout=timeout)


def site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run(python, "-I", "-c", code, cwd=ROOT).strip())


def hostile_folder(folder: Path) -> Path:
    """A folder whose own modules are called as ours, and fail when they are imported."""
    for name in ("train.py", "tracker.py", "cli.py", "engines/__init__.py", "commands/__init__.py"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise RuntimeError('{name} of the user was imported')\n", encoding="utf-8")
    return folder


def copy_examples(folder: Path) -> None:
    for path in (ROOT / "examples").glob("*.py"):
        shutil.copy(path, folder)

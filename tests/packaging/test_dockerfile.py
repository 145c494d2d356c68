"""The steps of the Dockerfile, run without Docker; its packages come from the registry (mark registry)."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeClip
from tests.packaging.build import ROOT

LINES = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
STEPS = [tuple(line.split(" ", 1)) for line in LINES]


def of(word: str) -> list[str]:
    return [rest for found, rest in STEPS if found == word]


def test_its_instructions_are_known_and_its_paths_exist() -> None:
    known = {"FROM", "COPY", "RUN", "USER", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in STEPS} <= known
    assert STEPS[0][0] == "FROM"
    assert of("COPY") == [". /src"]
    named = {path for step in of("RUN") for path in re.findall(r"/src/([\w.-]+)", step)}
    assert named == {"constraints.txt", "startrack-core"}
    assert all((ROOT / name).exists() for name in named)
    assert of("ENTRYPOINT") == ['["startrack"]']


def test_its_extras_exist_and_leave_the_display_out() -> None:
    (extras,) = re.findall(r"startrack-core\[([^\]]+)\]", " ".join(of("RUN")))
    backend = (ROOT / "startrack-core" / "pyproject.toml").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in extras.split(","):
        assert extra in backend or re.search(rf"^{extra} = \[", project, re.M), extra
    assert "opencv-python-headless" in extras.split(",")


def test_the_context_holds_no_caches() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv"} <= set(ignored)


@pytest.mark.registry
@pytest.mark.timeout(1500)
def test_its_steps_give_a_program_that_tracks(tmp_path: Path, make_clip: MakeClip) -> None:
    source, prefix = tmp_path / "src", tmp_path / "opt"
    ignored = [name.removeprefix("**/") for name in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()]
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(*ignored))
    for step in of("RUN"):
        if step.startswith("useradd"):  # the test's own user runs the program
            continue
        command = step.replace("/src", str(source)).replace("/opt/startrack", str(prefix))
        subprocess.run(shlex.split(command), check=True, timeout=1200)
    assert not source.exists()
    clip = make_clip("clip.mp4", frames=3, size=(64, 48))
    command = [str(prefix / "bin" / "startrack"), "track", str(clip.path), "--jsonl", str(tmp_path / "out.jsonl")]
    subprocess.run(command, check=True, timeout=200, cwd=tmp_path)
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 3

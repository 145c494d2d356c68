"""The workflow of continuous integration names systems, targets, paths and extras that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def jobs() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    return found


def commands() -> list[str]:
    return [step["run"] for job in jobs().values() for step in job["steps"] if "run" in step]


def test_it_covers_three_systems_and_says_that_it_has_not_run() -> None:
    text = str([(job["runs-on"], job.get("strategy")) for job in jobs().values()])
    assert all(system in text for system in ("ubuntu", "windows", "macos"))
    assert WORKFLOW.read_text(encoding="utf-8").startswith("# Not yet run")


def test_targets_paths_and_extras_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    used = [word for command in commands() for word in command.split()]
    assert {command.split()[1] for command in commands() if command.startswith("make ")} <= targets
    assert [word for word in used if word.startswith("tests/") and not (ROOT / word).exists()] == []
    extras = {extra for word in used for found in re.findall(r"\.\[([^\]]+)\]", word) for extra in found.split(",")}
    assert extras
    assert all(re.search(rf"^{extra} = \[", project, re.M) for extra in extras)

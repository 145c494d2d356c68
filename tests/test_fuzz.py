"""A short slice of make fuzz, and its own parts."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest

from startrack.commands import app as cli
from tests.fuzz.loaders import LOADERS
from tests.fuzz.mutate import mutate
from tests.fuzz.run import CODES, Child, Fuzz, table

SECONDS = 12.0
"""Of this process's and its child's time that the slice takes."""


@pytest.mark.timeout(900)
def test_changed_files_and_random_commands_end_well(tmp_path: Path) -> None:
    """As many as fit; other ones every day."""
    fuzz = Fuzz(tmp_path, seed=int(time.time()) // 86_400, kinds=FAST)
    try:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or fuzz.tally.inputs < 60:
            fuzz.files(20)
        fuzz.commands(6)
    finally:
        fuzz.close()
    assert fuzz.tally.failures == [], table(fuzz.tally)
    assert fuzz.tally.inputs >= 66
    assert any(outcome == "refused" for _, outcome in fuzz.tally.outcomes)


FAST = (
    "picture", "sidecar", "spec", "pts", "flip_pairs", "coco_points", "face_photos", "tsv", "record", "jsonl", "log",
)  # fmt: skip
"""Kinds that need no torch."""


def test_every_change_is_reproducible_and_most_change_something() -> None:
    for content in (b'{"a": [1, 2, {"b": "word"}]}', b"1 2 3\nname 4\n", bytes(range(256)) * 4, b""):
        changed = [mutate(content, random.Random(seed)) for seed in range(60)]
        assert changed == [mutate(content, random.Random(seed)) for seed in range(60)]
        assert sum(one != content for one in changed) >= (40 if content else 0)


def test_a_child_that_dies_is_named_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child()
    try:
        (tmp_path / "pairs.txt").write_text("0 1\n")
        job: dict[str, object] = {"kind": "flip_pairs", "folder": str(tmp_path), "file": str(tmp_path / "pairs.txt")}
        assert child.ask(job)["outcome"] == "loaded"
        os.kill(child.pid, 11)
        assert child.ask(job)["outcome"] == "crash"
        assert child.ask(job)["outcome"] == "loaded"
        assert child.ask(job | {"kind": "no such loader"})["outcome"] == "traceback"
    finally:
        child.close()


def test_exit_codes_are_those_of_the_help() -> None:
    documented = {int(number) for number in re.findall(r"\b(\d+) [a-z]", cli.EXIT_CODES)}
    assert documented <= CODES
    assert len(LOADERS) > 20

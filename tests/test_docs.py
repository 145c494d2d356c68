"""What the pages show is true: their commands parse, and they tell of every data set."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from startrack.commands.app import app
from startrack.train.evaluation.evaluate_body import BODY_DATASETS
from startrack.train.metrics.nme import NORMALISERS
from startrack.train.sets import DATASETS

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def shell_lines(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [line for block in re.findall(r"^```bash\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]


LINES = [line for page in ("data.md", "eval_300vw.md", "live.md", "sources.md") for line in shell_lines(page)]
LINES += [line for line in shell_lines("engines.md") if line.startswith("startrack ")]  # beside those of a server


@pytest.mark.parametrize("line", LINES)
def test_commands_parse(line: str) -> None:
    program, name, *arguments = shlex.split(line, comments=True)
    assert program == "startrack"
    COMMANDS[name].make_context(name, arguments)


def test_every_data_set_has_its_row_and_its_command() -> None:
    text = (DOCS / "data.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", text, re.M)) == {*DATASETS, *BODY_DATASETS}
    named = {found for line in shell_lines("data.md") for found in re.findall(r"--dataset (\S+)", line)}
    assert named | {"300w"} == {*DATASETS, *BODY_DATASETS}


def test_every_normaliser_is_explained() -> None:
    text = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    assert all(f"`{name.replace('_', '-')}`" in text for name in NORMALISERS)

"""What the README shows is true: its Python runs, its commands parse, its paths exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from startrack.commands.app import app
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [code for found, code in FENCE.findall(README) if found == language]


def shell_lines() -> list[list[str]]:
    """The words of every line of the bash blocks and of every `command` in a table."""
    lines = "".join(blocks("bash")).splitlines() + re.findall(r"`(startrack [^`]+)`", README)
    return [words for line in lines if (words := shlex.split(line, comments=True))]


STARTRACK = [words[1:] for words in shell_lines() if words[0] == "startrack"]


@pytest.mark.parametrize("words", STARTRACK, ids=" ".join)
def test_commands_parse(words: list[str]) -> None:
    name, *arguments = words
    assert name in COMMANDS
    # options are checked, and nothing is run; --help alone would leave by an exception
    COMMANDS[name].make_context(name, [word for word in arguments if word != "--help"])


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {words[1] for words in shell_lines() if words[0] == "make"}
    assert used >= {"demo", "test"}
    assert used <= targets


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(
    code: str, make_clip: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = compile(code, "README.md", "exec")
    if not zoo_path(DEFAULT_LANDMARKS).is_file():
        pytest.skip("no shipped model in this tree")
    make_clip("video.mp4", frames=3, size=(320, 240))
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {}
    exec(program, variables)
    assert variables["tracked"].frame.index == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", "".join(blocks("text")).splitlines())
def test_the_tree_is_there(line: str) -> None:
    assert (ROOT / line.split()[0]).exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)
    assert [link for link in links if not (ROOT / link).exists()] == []

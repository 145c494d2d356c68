"""What the README shows is true: its Python runs, its commands parse, its paths exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import cv2
import pytest
import typer

from startrack.commands.app import app
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.types import ImageArray
from tests.conftest import MakeClip

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PROGRAMS = ("README.md", "docs/python.md", "docs/many_videos.md")
"""Pages whose programs are the examples."""
MOST_README_LINES = 150
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, text: str = README) -> list[str]:
    return [code for found, code in FENCE.findall(text) if found == language]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    lines = README.splitlines()
    assert len(lines) <= MOST_README_LINES
    assert [line.split("#")[0].strip() for line in lines[2:6]] == ["```bash", "make demo", "make test", "```"]
    assert README.index("<img") < README.index("## Results")


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


EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_LINES = {"one_picture": 3, "own_loop": 8, "folder_to_parquet": 8}


def code_lines(code: str) -> int:
    return sum(bool(line.strip()) for line in code.splitlines())


def test_python_of_readme_and_guides_is_that_of_the_examples() -> None:
    shown = {code for name in PROGRAMS for code in blocks("python", page(name))}
    assert blocks("python")
    assert shown == {path.read_text(encoding="utf-8") for path in EXAMPLES}
    assert {path.stem for path in EXAMPLES} == set(MOST_LINES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_run(
    path: Path, make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = path.read_text(encoding="utf-8")
    assert code_lines(code) <= MOST_LINES[path.stem]
    if not zoo_path(DEFAULT_LANDMARKS).is_file():
        pytest.skip("no shipped model in this tree")
    portrait = pytest.importorskip("skimage.data").astronaut()
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("portrait.jpg", portrait[..., ::-1])
    (tmp_path / "videos").mkdir()
    clip = make_clip("videos/portrait.mp4", frames=3, size=(512, 512), picture=lambda *_: portrait).path
    shown: list[ImageArray] = []
    capture = cv2.VideoCapture(str(clip))
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: capture)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: -1)
    exec(compile(code, path.name, "exec"), {})
    match path.stem:
        case "one_picture":
            assert capsys.readouterr().out.startswith("0 ")
        case "own_loop":
            assert len(shown) == 3
        case "folder_to_parquet":
            assert len(pytest.importorskip("pandas").read_parquet("videos/portrait.parquet")) == 3


@pytest.mark.parametrize("line", "".join(blocks("text", page("docs/architecture.md"))).splitlines())
def test_the_tree_is_there(line: str) -> None:
    assert (ROOT / line.split()[0]).exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^":]+)"', text)
    assert [link for link in links if not (ROOT / link).exists()] == []

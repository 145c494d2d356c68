"""What the pages show is true: their commands parse, their links lead somewhere, and every data set has its row."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from startrack.commands.app import app
from startrack.tracker.signals import VALUES, blendshape_names
from startrack.tracker.sinks.field_names import FIELDS
from startrack.train.evaluation.evaluate_body import BODY_DATASETS
from startrack.train.metrics.nme import NORMALISERS
from startrack.train.sets import DATASETS
from tests.tracker.signals.test_head_pose import turn
from tests.tracker.sinks.faces import face, tracked

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
OUTSIDE = {"benchmarks.md": ROOT / "benchmarks" / "README.md", "changelog.md": ROOT / "CHANGELOG.md"} | {
    f"models/{path.name}": path for path in (ROOT / "engines" / "zoo").glob("*.md")
}
"""Pages of the site that docs/site_hook.py adds → their files."""
LINK = re.compile(r'\]\(([^)\s]+)\)|src="([^"]+)"')


def text_of(page: str) -> str:
    return OUTSIDE.get(page, DOCS / page).read_text(encoding="utf-8")


def shell_lines(page: str) -> list[str]:
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```$", text_of(page).replace("\\\n", " "), re.M | re.S)
    return [line.strip() for block in blocks for line in block.splitlines()]


LINES = sorted({line for page in PAGES for line in shell_lines(page) if line.startswith("startrack ")})


@pytest.mark.parametrize("line", LINES)
def test_commands_parse(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    if name.startswith("-"):
        return
    COMMANDS[name].make_context(name, [word for word in arguments if word != "--help"])


def anchors(page: str) -> set[str]:
    """Of the headings, as MkDocs makes them."""
    headings = re.findall(r"^#+ +(.+)$", re.sub(r"```.*?```", "", text_of(page), flags=re.S), re.M)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text_of(page), flags=re.S)
    for found in LINK.finditer(text):
        link, _, anchor = (found[1] or found[2]).partition("#")
        if link.startswith(("http:", "https:")):
            continue
        assert not link or link in OUTSIDE or (DOCS / link).is_file(), link
        assert not anchor or anchor in anchors(link or page), f"{link}#{anchor}"


def test_every_page_is_in_the_sites_navigation() -> None:
    named = re.findall(r"^ +- [^:]+: ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    assert sorted(named) == sorted({*PAGES, *(page for page in OUTSIDE if "/" not in page)})


def test_every_public_name_is_in_the_api_reference() -> None:
    import startrack

    shown = {line.rpartition(".")[2] for line in re.findall(r"^::: (\S+)$", text_of("api.md"), re.M)}
    assert set(startrack.__all__) <= shown


def test_the_page_of_formats_has_every_field_and_signal() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", text_of("formats.md"), re.M)
    assert [name for name, _ in rows] == list(FIELDS)
    assert all(f"`{name}`" in dict(rows)["signals"] for name in VALUES)
    assert "jawOpen" in blendshape_names()


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed (extra docs)")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    variables = os.environ | {"PYTHONPATH": ".", "NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr


class Key:
    """A shape key of Blender."""

    def __init__(self) -> None:
        self.value = 0.0
        self.inserted: list[tuple[str, float, float]] = []

    def keyframe_insert(self, name: str, frame: float) -> None:
        self.inserted.append((name, frame, self.value))


def test_the_script_for_blender_moves_a_double_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from startrack.tracker.sinks.jsonl_sink import JsonlSink

    monkeypatch.chdir(tmp_path)
    with JsonlSink("face.jsonl", fields=("pose", "blendshapes")) as sink:
        sink.write(tracked(face(), face(1), time_s=0.0))
        sink.write(tracked(face(rotation=turn(0.1, 0.2, 0.3)), time_s=0.5))
    keys = {"jawOpen": Key(), "unknown": Key()}
    turned: list[float] = []
    data = types.SimpleNamespace(shape_keys=types.SimpleNamespace(key_blocks=keys))
    head = types.SimpleNamespace(data=data, keyframe_insert=lambda name, frame: turned.append(frame))
    render = types.SimpleNamespace(fps=24, fps_base=1.0)
    bpy: Any = types.ModuleType("bpy")
    bpy.context = types.SimpleNamespace(object=head, scene=types.SimpleNamespace(render=render))
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    (code,) = re.findall(r"^    ```python\n(.*?)^    ```$", text_of("blender.md"), re.M | re.S)
    exec(compile(re.sub(r"^    ", "", code, flags=re.M), "blender.md", "exec"), {})
    assert turned == [1, 13]
    assert [frame for _, frame, _ in keys["jawOpen"].inserted] == [1, 13]
    assert keys["unknown"].inserted == []
    # Blender's "YZX" turns about y, then z, then x; its x is the camera's, y away, z up
    assert head.rotation_mode == "YZX"
    x, y, z = head.rotation_euler
    axes = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    found = turn(x, 0, 0) @ turn(0, 0, z) @ turn(0, y, 0)
    np.testing.assert_allclose(found, axes @ turn(0.1, 0.2, 0.3) @ axes.T, atol=1e-3)


def test_every_data_set_has_its_row_and_its_command() -> None:
    text = text_of("data.md")
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", text, re.M)) == {*DATASETS, *BODY_DATASETS}
    named = {found for line in shell_lines("data.md") for found in re.findall(r"--dataset (\S+)", line)}
    assert named | {"300w"} == {*DATASETS, *BODY_DATASETS}


def test_every_normaliser_is_explained() -> None:
    assert all(f"`{name.replace('_', '-')}`" in text_of("evaluation.md") for name in NORMALISERS)

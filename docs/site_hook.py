"""Adds to the site what lies outside docs/: the model cards, the list of benchmarks and the changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"benchmarks.md": ROOT / "benchmarks" / "README.md", "changelog.md": ROOT / "CHANGELOG.md"}
"""Page of the site → its file."""
CARDS = "models"
"""Folder of the site with a page for each model card."""


def pages() -> dict[str, Path]:
    """Page of the site → the file outside docs/ that it is made from."""
    cards = {f"{CARDS}/{path.name}": path for path in sorted((ROOT / "engines" / "zoo").glob("*.md"))}
    return PAGES | cards


def on_files(files: Files, config: Any) -> Files:
    """MkDocs calls this with the files of docs/."""
    for name, path in pages().items():
        text = re.sub(r"\]\((?!https?:|#)[^)]*\)", "]", path.read_text(encoding="utf-8"))
        files.append(File.generated(config, name, content=text))
    return files

"""Provenance files of models that are made for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from startrack.engines.sidecar import file_sha256
from startrack.engines.zoo.provenance import provenance_path

HASH = "0" * 64


def write_provenance(
    path: Path,
    licence: str,
    *,
    free_input: bool = True,
    parents: tuple[tuple[str, Path], ...] = (),
    other: dict[str, Any] | None = None,
) -> None:
    """Of the model file `path`. parents: role and file. other: entries in place of these."""
    name, terms = ("assets", "CC0-1.0") if free_input else ("pictures", "non-commercial research")
    values = {
        "model": path.stem,
        "sha256": file_sha256(path),
        "licence": licence,
        "recipe": "made",
        "commands": ["true"],
        "inputs": [{"name": name, "source": "a test", "licence": terms, "sha256": HASH}],
        "parents": [{"role": role, "name": one.stem, "sha256": file_sha256(one)} for role, one in parents],
    }
    provenance_path(path).write_text(json.dumps(values | (other or {})))

"""The build backend of startrack-core: startrack's wheel with alternatives as extras (PEP 517, by way of hatchling)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.wheel import WheelBuilder

NAME = "startrack-core"
HERE = Path(__file__).resolve().parent


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Write the wheel and return its file name."""
    builder = WheelBuilder(str(HERE.parent), config=configuration())
    return Path(next(builder.build(directory=wheel_directory, versions=["standard"]))).name


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """startrack's own sdist holds this folder too."""
    raise NotImplementedError(f"{NAME} has no sdist; expected: a wheel, built in a checkout or in startrack's sdist")


def configuration() -> dict[str, Any]:
    """startrack's pyproject.toml under the other name, with each dependency that has alternatives as extras."""
    config = _read(HERE.parent)
    ours = _read(HERE)["tool"][NAME]
    project = config["project"]
    dependencies = {_name(requirement): requirement for requirement in project["dependencies"]}
    extras: dict[str, list[str]] = project["optional-dependencies"] | ours["extras"]
    for dependency, alternatives in ours["alternatives"].items():
        limits = dependencies.pop(dependency).removeprefix(dependency)
        extras |= {alternative: [alternative + limits] for alternative in alternatives}
    itself = f"{project['name']}["
    project["optional-dependencies"] = {
        extra: [re.sub(f"^{re.escape(itself)}", f"{NAME}[", requirement) for requirement in requirements]
        for extra, requirements in extras.items()
    }
    project["name"], project["dependencies"] = NAME, list(dependencies.values())
    return config


def _read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def _name(requirement: str) -> str:
    """Of the distribution that a requirement asks for."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]

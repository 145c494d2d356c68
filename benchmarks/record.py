"""Results files: figures with the machine, the versions, the model, the command and the date that made them."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from engines.sidecar import file_sha256
from engines.zoo import DEFAULT_LANDMARKS, zoo_path
from train.report.rounding import rounded

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "av", "mediapipe")

_load_at_start = os.getloadavg()[0]


def write_result(path: Path, figures: Mapping[str, Any], *, model: Path | None = None) -> None:
    """Write figures below what made them, floats to 4 decimals. model: the landmark model, by default the shipped."""
    model = model or zoo_path(DEFAULT_LANDMARKS)
    record = {
        "command": shlex.join(["python", *_arguments()]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "model": {"file": model.name, "sha256": file_sha256(model)},
        **figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(record), indent=2) + "\n", encoding="utf-8")
    print(f"written: {path}")


def machine() -> dict[str, Any]:
    """What the figures were measured on; load_at_start well above 0.3 says that it was not idle."""
    versions = {name: metadata.version(name) for name in LIBRARIES if _installed(name)}
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "load_at_start": _load_at_start,
    }


def _arguments() -> list[str]:
    """As typed, also for `python -m`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return ["-m", spec.name, *sys.argv[1:]] if spec else sys.argv


def _installed(package: str) -> bool:
    return any(distribution.name == package for distribution in metadata.distributions())


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    fields = dict(line.split(":", 1) for line in cpuinfo.read_text(encoding="utf-8").splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    name = named.get("model name", platform.processor())
    return f"{name}, family {named.get('cpu family')} model {named.get('model')}"

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

from startrack.engines.sidecar import file_sha256
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.train.metrics.rounding import rounded

RESULTS = Path(__file__).parents[1] / "results"
LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "av", "mediapipe")

_load_at_start = os.getloadavg()[0]


def described(model: Path) -> dict[str, str]:
    """A model file as results name it."""
    return {"file": model.name, "sha256": file_sha256(model)}


def model_result(name: str, model: Path) -> Path:
    """Where a benchmark of one landmark model is kept: NAME_MODEL.json among the results."""
    return RESULTS / f"{name}_{model.stem}.json"


def results_of(name: str, model: Path) -> dict[str, Any] | None:
    """The results NAME*.json that were measured with this very file, by its hash; None if there are none."""
    sha256 = file_sha256(model)
    for path in sorted(RESULTS.glob(f"{name}*.json")):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        made_of = content.get("file") or content.get("model")
        if isinstance(made_of, dict) and made_of.get("sha256") == sha256:
            return content
    return None


def write_result(path: Path, figures: Mapping[str, Any], *, model: Path | None = None) -> None:
    """Write figures below what made them, floats to 4 decimals. model: the landmark model, by default the shipped."""
    model = model or zoo_path(DEFAULT_LANDMARKS)
    record = {
        "command": shlex.join(["python", *_arguments()]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "model": described(model),
        **figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(record), indent=2) + "\n", encoding="utf-8")
    print(f"written: {path}")


def machine() -> dict[str, Any]:
    """The machine of the measurement; load_at_start well above 0.3 says that it was not idle."""
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
    """As typed, also for `python -m`, but of absolute paths the last two names: the others are this machine's."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    words = ["-m", spec.name, *sys.argv[1:]] if spec else sys.argv
    return ["/".join(Path(word).parts[-2:]) if Path(word).is_absolute() else word for word in words]


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

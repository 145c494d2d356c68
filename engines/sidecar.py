"""The JSON file next to a model: its specification and the hash that shows a damaged or exchanged file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from startrack.engines.base import AnySpec, EngineError, parse_spec
from startrack.engines.plans.facts import PlanFacts
from startrack.outside import LARGEST_FACTS, read_json, reason
from startrack.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Facts of a model file that are known without opening it."""

    spec: AnySpec
    sha256: str
    """Of the whole model file, 64 hexadecimal digits."""
    plan: PlanFacts | None = None
    """Of a TensorRT plan."""


def sidecar_path(model: Path) -> Path:
    """compact.onnx → compact.json; compact.plan → compact.plan.json, since both may lie in one folder."""
    return model.with_name(f"{model.name}.json") if model.suffix.lower() == ".plan" else model.with_suffix(".json")


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits; reads the file in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sidecar(model: Path, spec: AnySpec, plan: PlanFacts | None = None) -> Sidecar:
    """Describe a finished model file in a file next to it; the inverse of read_sidecar."""
    sidecar = Sidecar(spec, file_sha256(model), plan)
    content = {"spec": json.loads(spec.to_json()), "sha256": sidecar.sha256}
    content |= {"plan": asdict(plan)} if plan else {}
    write_whole(sidecar_path(model), json.dumps(content, indent=2) + "\n")
    return sidecar


def read_sidecar(model: Path) -> Sidecar | None:
    """The sidecar of a model file, None if there is none. Raises EngineError if it is malformed."""
    path = sidecar_path(model)
    if not path.is_file():
        return None
    if (size := path.stat().st_size) > LARGEST_FACTS:
        raise EngineError(f"{path}: {size} bytes; expected a model's sidecar of {LARGEST_FACTS} at most")
    try:
        content = read_json(path, LARGEST_FACTS)
        spec = parse_spec(json.dumps(content["spec"]), str(path))
        plan = PlanFacts.from_dict(content["plan"], str(path)) if "plan" in content else None
        return Sidecar(spec, str(content["sha256"]), plan)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EngineError(f"{path}: not a model's sidecar ('spec' and 'sha256' expected): {reason(error)}") from error


def check_sidecar(model: Path) -> None:
    """Raise EngineError if the model has a sidecar that names another hash than the file's."""
    sidecar = read_sidecar(model)
    if sidecar is not None:
        check_sha256(model, sidecar, file_sha256(model))


def check_sha256(model: Path, sidecar: Sidecar, digest: str) -> None:
    """Raise EngineError unless the model's hash, `found`, is the sidecar's."""
    if digest != sidecar.sha256:
        raise EngineError(
            f"{model}: damaged or exchanged file: sha256 is {digest[:12]}…, {sidecar_path(model).name} says "
            f"{sidecar.sha256[:12]}…"
        )

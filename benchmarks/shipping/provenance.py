"""Write the provenance of a model of the zoo (engines/zoo/provenance.py) from a description, with every hash filled in.

    python -m benchmarks.shipping.provenance free free.json

The description is a JSON object of licence, recipe, commands, inputs and parents. An input has name, source, licence
and path: a file, or a folder whose hash is that of the list of its files' hashes. A parent has role and name: of a
model of the zoo, or of another file with its own path. A lost one has a null path, and no hash. Nothing is written if
the model is said to be free and is not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from startrack.engines.sidecar import file_sha256
from startrack.engines.zoo import zoo_path
from startrack.engines.zoo.provenance import faults, provenance_path
from startrack.whole_file import write_whole


def path_sha256(path: Path) -> str:
    """64 hexadecimal digits of a file, or of a folder: those of the lines "hash  path below the folder" of its files,
    by path."""
    if path.is_file():
        return file_sha256(path)
    files = sorted(one for one in path.rglob("*") if one.is_file())
    if not files:
        raise SystemExit(f"{path}: no file there; expected a file, or a folder of files")
    lines = (f"{file_sha256(one)}  {one.relative_to(path).as_posix()}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def described(model: Path, description: dict[str, Any]) -> dict[str, Any]:
    """The provenance of a model file as it is written."""

    def hashed(one: dict[str, Any], default: Path | None) -> dict[str, Any]:
        path = Path(one["path"]) if one.get("path") else default
        known = one.get("sha256")
        rest = {key: value for key, value in one.items() if key not in ("path", "sha256")}
        return rest | {"sha256": known if path is None else path_sha256(path)}

    def twin(name: str) -> Path | None:
        path = model.with_name(f"{name}.onnx")
        return path if path.is_file() else None

    parents = [hashed(one, None if "sha256" in one else twin(one["name"])) for one in description["parents"]]
    return {
        "model": model.stem,
        "sha256": file_sha256(model),
        "licence": description["licence"],
        "recipe": description["recipe"],
        "commands": description["commands"],
        "inputs": [hashed(one, None) for one in description["inputs"]],
        "parents": parents,
    }


def write(model: Path, description: dict[str, Any]) -> Path:
    """Write a model's provenance; raises SystemExit, and leaves the old one, if it would be at fault."""
    path = provenance_path(model)
    before = path.read_bytes() if path.is_file() else None
    write_whole(path, json.dumps(described(model, description), indent=2, ensure_ascii=False) + "\n")
    wrong = list(faults(model))
    if wrong:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
        raise SystemExit("\n".join(wrong))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="of a model of the zoo")
    parser.add_argument("description", type=Path, help="JSON file")
    args = parser.parse_args()
    print(write(zoo_path(args.name), json.loads(args.description.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()

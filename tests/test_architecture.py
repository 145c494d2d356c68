"""Imports point one way, cli → commands → train → tracker → engines.base; heavy libraries wait; files stay small."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engines", "tracker", "train", "commands")
OURS = {*PACKAGES, "cli", "tests"}
HEAVY = {"torch", "tensorrt", "onnxruntime", "openvino", "mediapipe", "matplotlib", "av", "cuda"}
MAY_IMPORT = {
    "engines": {"engines"},
    "tracker": {"tracker", "engines.base"},
    "train": {"train", "tracker", "engines.base"},
    "commands": {"commands", "train", "tracker", "engines"},
    "cli": {"commands"},
}
LOW = ("types", "schemes", "crop", "decode")
"""Modules of the tracker that know only each other, and what a model's outputs mean."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module by its dotted name, cli included."""
    for path in [ROOT / "cli.py", *(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))]:
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imports(path: Path) -> Iterator[str]:
    """Dotted names imported anywhere in the file, lazily or not; `from a import b` counts as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, allowed: set[str]) -> bool:
    return any(name == entry or name.startswith(entry + ".") for entry in allowed)


@pytest.mark.parametrize(("module", "path"), [pytest.param(*entry, id=entry[0]) for entry in modules()])
def test_imports_point_one_way(module: str, path: Path) -> None:
    package, *rest = module.split(".")
    found = list(imports(path))
    ours = [name for name in found if name.split(".")[0] in OURS]
    allowed = MAY_IMPORT.get(package, OURS)
    if package == "tracker" and rest[0] in LOW:
        allowed = {"engines.base", *(f"tracker.{name}" for name in LOW)}
    assert [name for name in ours if not within(name, allowed)] == []
    if package == "tracker":
        assert [name for name in found if within(name, {"torch"})] == []
    if package not in ("cli", "commands") and module != "engines.__init__":
        assert [name for name in ours if name.split(".")[1:2] and name.split(".")[1].endswith("_engine")] == []


@pytest.mark.parametrize(("module", "path"), [pytest.param(*entry, id=entry[0]) for entry in modules()])
def test_files_are_small_and_named_after_what_they_do(module: str, path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400
    assert path.stem not in {"utils", "common", "misc", "helpers"}


def python(code: str, **variables: str) -> str:
    """What a fresh interpreter prints, without the variables that our own imports have set."""
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["cli", "tracker.pipeline"])
def test_heavy_libraries_wait_until_they_are_needed(module: str) -> None:
    loaded = python(f"import sys, {module}; print(*sys.modules)").split()
    assert HEAVY & set(loaded) == set()


def test_onnx_runtime_writes_no_telemetry(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "tiny", value[:1], value[1:])
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "tiny.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = f"""
import engines, numpy, onnxruntime, os
session = onnxruntime.InferenceSession({str(tmp_path / "tiny.onnx")!r}, providers=["CPUExecutionProvider"])
session.run(None, {{"x": numpy.ones(1, "f")}})
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    folders = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR"), str(home))
    assert python(code, **folders).strip() == "1"
    assert [path for path in home.rglob("*") if path.is_file()] == []

"""Imports point one way, commands → train → tracker → engines.base; rooms are in order; heavy libraries wait."""

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
HEAVY = {"torch", "tensorrt", "tensorrt_rtx", "onnxruntime", "openvino", "mediapipe", "matplotlib", "av", "cuda"}
MAY_IMPORT = {
    "engines": {"engines"},
    "tracker": {"tracker", "engines.base", "engines.eyes"},
    "train": {"train", "tracker", "engines.base", "engines.decode", "engines.eyes"},
    "commands": {"commands", "train", "tracker", "engines"},
}
"""Package → what of ours it may import, apart from EVERYBODY."""
EVERYBODY = {
    "errors", "closing", "file_lock", "leaving", "outside", "quiet_console", "stopping", "whole_file", "__version__",
}  # fmt: skip
LOW = ("types", "schemes", "crop", "cut")
"""Modules of the tracker that know only each other."""
ORDER = {
    "tracker": (
        {"session"},
        {"look_ahead", "pipeline", "screen"},
        {"face_track", "newcomers", "read_rois", "sinks"},
        {"smooth", "signals", "eyes", "video", "detect", "associate", "model_scheme", "metrics", "latency", "palette"},
        {"motion", "shape"},
        set(LOW),
    ),
    "train": (
        {"loop", "report"},
        {"recipes", "video_evaluation"},
        {"losses", "validation"},
        {"evaluation", "feed", "motion"},
        {"synthetic"},
        {"augment", "packs", "metrics"},
        {"sets"},
        {"targets", "models", "weights"},
    ),
}
"""Rooms from the highest down; a module imports from its own row and from those below it."""
MUTUAL = {("tracker.video.write", "tracker.sinks.base")}
MOST_FILES = 22
"""In one folder."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the four packages by its dotted name, without `startrack.`."""
    for path in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imports(path: Path) -> Iterator[str]:
    """Dotted names imported anywhere in the file, lazily or not; `from a import b` counts as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> list[str]:
    """Imported names below `startrack`, without it."""
    return [name.removeprefix("startrack.") for name in imports(path) if name.startswith("startrack.")]


def within(name: str, allowed: set[str]) -> bool:
    return any(name == entry or name.startswith(entry + ".") for entry in allowed)


def row(name: str) -> int | None:
    """Of a module or name in its package's ORDER, from below; None where it has none."""
    package, room, *_ = [*name.split("."), ""]
    rows = ORDER.get(package, ())
    return next((len(rows) - number for number, rooms in enumerate(rows) if room in rooms), None)


EVERY = [pytest.param(*entry, id=entry[0]) for entry in modules()]


@pytest.mark.parametrize(("module", "path"), EVERY)
def test_imports_point_one_way(module: str, path: Path) -> None:
    package, *rest = module.split(".")
    found = ours(path)
    allowed = MAY_IMPORT[package] | EVERYBODY
    if package == "tracker" and rest[0] in LOW:
        allowed = EVERYBODY | {"engines.base", *(f"tracker.{name}" for name in LOW)}
    assert [name for name in found if not within(name, allowed)] == []
    if package == "tracker":
        assert [name for name in imports(path) if within(name, {"torch"})] == []
    if package != "commands" and module != "engines.__init__":
        assert [name for name in found if name.split(".")[1:2] and name.split(".")[1].endswith("_engine")] == []


@pytest.mark.parametrize(("module", "path"), [entry for entry in EVERY if str(entry.values[0]).split(".")[0] in ORDER])
def test_rooms_are_in_order(module: str, path: Path) -> None:
    package, room, *_ = module.split(".")
    if room == "__init__":
        return
    own = row(module)
    assert own is not None, f"{package}/{room} has no place in ORDER"
    higher = [name for name in ours(path) if name.startswith(package + ".") and (row(name) or 0) > own]
    assert [name for name in higher if not any(module == a and within(name, {b}) for a, b in MUTUAL)] == []


def test_everything_of_ours_has_one_name() -> None:
    """A class that came in as `tracker.types.Frame` as well would be a second class."""
    folders = (*PACKAGES, "startrack", "benchmarks", "tests", "examples")
    files = [ROOT / "cli.py", *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    wrong = {path: [name for name in imports(path) if within(name, {*PACKAGES, "cli"})] for path in files}
    assert {str(path): names for path, names in wrong.items() if names} == {}


def test_one_file_imports_pyav() -> None:
    """Which loads OpenCV before it; a window hangs otherwise."""
    users = {module for module, path in modules() if any(within(name, {"av"}) for name in imports(path))}
    assert users == {"tracker.video.pyav"}


@pytest.mark.parametrize(("module", "path"), EVERY)
def test_files_are_small_and_named_after_what_they_do(module: str, path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400
    assert path.stem not in {"utils", "common", "misc", "helpers"}


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks"])
def test_folders_are_small(package: str) -> None:
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    sizes = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: size for name, size in sizes.items() if size > MOST_FILES} == {}
    assert sizes.get("train", 0) <= 2


def python(code: str, **variables: str) -> str:
    """What a fresh interpreter prints, without the variables that our own imports have set."""
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["startrack.commands.app", "startrack.tracker.pipeline"])
def test_heavy_libraries_wait_until_they_are_needed(module: str) -> None:
    loaded = python(f"import sys, {module}; print(*sys.modules)").split()
    assert HEAVY & set(loaded) == set()


def test_the_name_alone_loads_next_to_nothing() -> None:
    loaded = python("import sys, startrack; print(*sys.modules)").split()
    assert (HEAVY | {"cv2", "numpy", "typer"}) & set(loaded) == set()


def test_the_list_of_commands_loads_no_command() -> None:
    code = "import sys; from startrack.commands.app import app; app(['--help'], standalone_mode=False)"
    loaded = python(f"{code}; print(); print(*sys.modules)").splitlines()[-1].split()
    assert "typer" in loaded
    assert (HEAVY | {"cv2", "numpy", "rich", "pydantic"}) & set(loaded) == set()
    ours = [name for name in loaded if name.startswith("startrack")]
    # the one module that commands need from their first line on: a signal during imports ends with a line, too
    assert set(ours) - {"startrack.stopping", "startrack.leaving"} == {
        "startrack",
        "startrack.commands",
        "startrack.commands.app",
    }


def test_links_may_be_text_files(tmp_path: Path) -> None:
    """As in a clone on Windows, where git writes a link's target into a file."""
    package = tmp_path / "startrack"
    package.mkdir()
    for path in (ROOT / "startrack").glob("*.py"):
        (package / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    for name in PACKAGES:
        (package / name).write_text(f"../{name}", encoding="utf-8")
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    code = "import startrack.tracker; print(startrack.tracker.__file__)"
    assert python(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}").strip() == str(
        tmp_path / "tracker" / "__init__.py"
    )


def test_onnx_runtime_writes_no_telemetry(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "tiny", value[:1], value[1:])
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "tiny.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = f"""
import startrack.engines, numpy, onnxruntime, os
session = onnxruntime.InferenceSession({str(tmp_path / "tiny.onnx")!r}, providers=["CPUExecutionProvider"])
session.run(None, {{"x": numpy.ones(1, "f")}})
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    folders = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR"), str(home))
    assert python(code, **folders).strip() == "1"
    assert [path for path in home.rglob("*") if path.is_file()] == []

"""The built wheel: one name in site-packages, the same from a checkout, the sdist and a clone without links."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import cv2
import pytest

import startrack
from startrack.engines.zoo import DEFAULT_DETECTOR, SIZES, zoo_path
from tests.conftest import MakeClip
from tests.packaging import build
from tests.packaging.build import ROOT, record, run

VERSION = startrack.__version__
MOST_BYTES = 26_000_000
"""Of the wheel. Package registries take 100 MB at most; this limit keeps an install quick."""
RUN_EXAMPLE = """
import runpy, sys
import cv2
clip = cv2.VideoCapture("videos/portrait.mp4")
cv2.VideoCapture, cv2.imshow, cv2.waitKey = lambda index: clip, lambda title, image: None, lambda delay: -1
sys.path[0] = "."
runpy.run_path(sys.argv[1], run_name="__main__")
import startrack
print(startrack.__file__)
"""
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"),
    pytest.mark.skipif(not zoo_path(SIZES["m"]).is_file(), reason="no shipped model in this tree"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(ROOT, "wheel", tmp_path_factory.mktemp("built") / "wheel")


@pytest.fixture(scope="module")
def unlinked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    return build.tree_without_links(ROOT, tmp_path_factory.mktemp("unlinked"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and nothing else."""
    made = build.empty_environment(tmp_path_factory.mktemp("environment") / "venv")
    build.install(made, "--no-index", "--no-deps", wheel)
    return made


@pytest.fixture
def folder(tmp_path: Path, make_clip: MakeClip) -> Path:
    """A user's folder with the examples, what they read, and modules called as ours."""
    portrait = pytest.importorskip("skimage.data").astronaut()
    cv2.imwrite(str(tmp_path / "portrait.jpg"), portrait[..., ::-1])
    (tmp_path / "videos").mkdir()
    make_clip("videos/portrait.mp4", frames=3, size=(512, 512), picture=lambda *_: portrait)
    build.copy_examples(tmp_path)
    return build.hostile_folder(tmp_path)


def dependencies() -> dict[str, str]:
    """What startrack needs comes from the environment of the tests, which holds no package called startrack."""
    return {"PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONWARNINGS": "error"}


def test_the_wheel_is_one_package(wheel: Path) -> None:
    files = record(wheel)
    assert wheel.name == f"startrack-{VERSION}-py3-none-any.whl"
    assert {name.partition("/")[0] for name in files} == {"startrack", f"startrack-{VERSION}.dist-info"}
    twins = [f"{name}-float" for name in (*SIZES.values(), DEFAULT_DETECTOR)]
    shipped = [*SIZES.values(), *twins, DEFAULT_DETECTOR]
    for name in shipped:
        assert {f"startrack/engines/zoo/{name}.{suffix}" for suffix in ("onnx", "json", "md")} <= set(files)
    assert {"startrack/py.typed", f"startrack-{VERSION}.dist-info/licenses/LICENSE"} <= set(files)
    assert wheel.stat().st_size <= MOST_BYTES


def test_the_wheel_of_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    tree = build.unpacked_sdist(ROOT, tmp_path)
    assert record(build.build(tree, "wheel", tmp_path / "wheel")) == record(wheel)
    assert (tree / "startrack-core" / "backend.py").is_file()


def test_the_wheel_of_a_clone_without_links_is_the_same(wheel: Path, unlinked: Path, tmp_path: Path) -> None:
    assert (unlinked / "startrack" / "tracker").read_text(encoding="utf-8") == "../tracker"
    assert record(build.build(unlinked, "wheel", tmp_path / "wheel")) == record(wheel)


def test_an_environment_gets_one_folder(python: Path) -> None:
    found = {path.name for path in build.site_packages(python).iterdir()}
    assert found == {"startrack", f"startrack-{VERSION}.dist-info"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_readmes_programs_run_beside_modules_called_as_ours(python: Path, folder: Path, example: str) -> None:
    printed = run(python, "-c", RUN_EXAMPLE, example, cwd=folder, variables=dependencies())
    assert Path(printed.splitlines()[-1]).is_relative_to(build.site_packages(python))


@pytest.mark.parametrize("example", EXAMPLES)
def test_they_run_from_a_clone_without_links(unlinked: Path, folder: Path, example: str) -> None:
    printed = run(sys.executable, "-S", "-c", RUN_EXAMPLE, example, cwd=folder, variables=_with(unlinked))
    assert Path(printed.splitlines()[-1]).is_relative_to(unlinked)


def _with(tree: Path) -> dict[str, str]:
    found = dependencies()
    return found | {"PYTHONPATH": os.pathsep.join((str(tree), found["PYTHONPATH"]))}


@pytest.mark.parametrize("entry", ["startrack", "-m startrack"])
def test_the_command_runs_beside_modules_called_as_ours(python: Path, folder: Path, entry: str) -> None:
    command = [python.parent / "startrack"] if entry == "startrack" else [python, *entry.split()]
    assert run(*command, "--version", cwd=folder, variables=dependencies()) == f"startrack {VERSION}\n"
    assert "Follow every face" in run(*command, "-h", cwd=folder, variables=dependencies())
    tracked = run(
        *command, "track", "videos/portrait.mp4", "--jsonl", "out.jsonl", cwd=folder, variables=dependencies()
    )
    assert "3 frames" in tracked
    assert (folder / "out.jsonl").read_text(encoding="utf-8").count("\n") >= 3


def metadata(wheel: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        yield from Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def test_startrack_core_has_alternatives_as_extras(wheel: Path, tmp_path: Path) -> None:
    core = build.build_core(ROOT, tmp_path / "core")
    assert core.name == f"startrack_core-{VERSION}-py3-none-any.whl"

    def files(built: Path) -> dict[str, str]:
        return {name: digest for name, digest in record(built).items() if ".dist-info/" not in name}

    assert files(core) == files(wheel)
    ours, theirs = list(metadata(wheel)), list(metadata(core))
    needed = {requirement for requirement in ours if "extra ==" not in requirement}
    alternatives = {line for line in needed if line.startswith(("opencv-python", "onnxruntime"))}
    assert len(alternatives) == 2
    assert {requirement for requirement in theirs if "extra ==" not in requirement} == needed - alternatives
    assert {f"{line}; extra == '{line.split('<')[0]}'" for line in alternatives} <= set(theirs)
    extras = {line.split("extra == ")[1].strip("'") for line in theirs if "extra ==" in line}
    assert {"opencv-python-headless", "opencv-contrib-python", "onnxruntime-gpu", "mediapipe", "train"} <= extras
    assert not any(line.startswith("startrack") for line in theirs)

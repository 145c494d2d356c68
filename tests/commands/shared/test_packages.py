"""Distributions that clash: made ones, and made metadata files as pip writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from startrack.commands.shared.packages import (
    Clash,
    Package,
    find_clashes,
    installed_packages,
    library_cure,
    shared_files,
)

STARTRACK = Package(
    "startrack", "1", frozenset({"opencv-python", "onnxruntime", "numpy"}), frozenset({"torch", "scikit-image"})
)
CORE = Package("startrack-core", "1", frozenset({"numpy"}), frozenset({"opencv-python", "mediapipe"}))
MEDIAPIPE = Package("mediapipe", "1", frozenset({"opencv-contrib-python"}))


def clashes(*packages: Package | str) -> list[Clash]:
    made = [package if isinstance(package, Package) else Package(package, "5.0") for package in packages]
    return find_clashes({package.name: package for package in made})


@pytest.mark.parametrize(
    "packages",
    [
        (STARTRACK, "opencv-python", "onnxruntime"),
        (CORE, "opencv-python-headless", "onnxruntime-gpu"),
        (CORE, MEDIAPIPE, "opencv-contrib-python", "onnxruntime"),
        (),
        (STARTRACK,),  # OpenCV from conda or the system
    ],
)
def test_what_belongs_together_does_not_clash(packages: tuple[Package | str, ...]) -> None:
    assert clashes(*packages) == []


def test_the_default_opencv_stays_unless_the_other_is_wanted() -> None:
    (clash,) = clashes(STARTRACK, "opencv-python-headless", "opencv-python", "onnxruntime")
    assert clash.packages == ("opencv-python", "opencv-python-headless")
    assert clash.problem == "opencv-python 5.0 and opencv-python-headless 5.0 fill one folder"
    assert clash.cure == (
        "pip uninstall --yes opencv-python opencv-python-headless && pip install opencv-python; or, to keep "
        "opencv-python-headless: pip uninstall --yes opencv-python opencv-python-headless startrack && "
        "pip install 'startrack-core[opencv-python-headless,onnxruntime]'"
    )


def test_an_opencv_that_another_package_requires_stays() -> None:
    (clash,) = clashes(STARTRACK, MEDIAPIPE, "opencv-python", "opencv-contrib-python", "onnxruntime")
    assert clash.problem.endswith("; opencv-contrib-python is required by mediapipe")
    assert clash.cure == (
        "pip uninstall --yes opencv-python opencv-contrib-python startrack && "
        "pip install 'startrack-core[opencv-contrib-python,onnxruntime]'"
    )
    (clash,) = clashes(CORE, MEDIAPIPE, "opencv-python", "opencv-contrib-python", "onnxruntime")
    assert clash.cure.endswith("opencv-contrib-python && pip install opencv-contrib-python")


def test_two_that_are_required_need_two_environments() -> None:
    other = Package("annotator", "1", frozenset({"opencv-python-headless"}))
    (clash,) = clashes(CORE, MEDIAPIPE, other, "opencv-python-headless", "opencv-contrib-python")
    assert "required: opencv-python-headless by annotator, opencv-contrib-python by mediapipe" in clash.problem
    assert clash.cure.startswith("separate environments")


def test_both_onnx_runtimes() -> None:
    (clash,) = clashes(STARTRACK, "opencv-python", "onnxruntime", "onnxruntime-gpu")
    assert clash.packages == ("onnxruntime", "onnxruntime-gpu")
    assert clash.cure.endswith("startrack && pip install 'startrack-core[opencv-python,onnxruntime-gpu]'")
    (clash,) = clashes(CORE, "opencv-python", "onnxruntime", "onnxruntime-gpu")
    assert clash.cure == "pip uninstall --yes onnxruntime onnxruntime-gpu && pip install onnxruntime"


def test_an_exchange_by_hand_leaves_a_requirement_open() -> None:
    (clash,) = clashes(STARTRACK, "opencv-python-headless", "onnxruntime")
    assert "opencv-python-headless is in the place of opencv-python" in clash.problem
    assert clash.cure == (
        "pip uninstall --yes startrack && pip install 'startrack-core[opencv-python-headless,onnxruntime]'"
    )


def test_startrack_under_both_names() -> None:
    (clash,) = clashes(STARTRACK, CORE, "opencv-python", "onnxruntime")
    assert clash.packages == ("startrack", "startrack-core")
    assert "pip uninstall --yes startrack startrack-core" in clash.cure


def test_other_files_with_two_owners() -> None:
    def owner(name: str, *files: str) -> Package:
        return Package(name, "1", files=frozenset(files))

    first, second = owner("scikit-image", "/site/a.py", "/site/b.py"), owner("other", "/site/b.py")
    assert shared_files([first, second]) == {frozenset({"scikit-image", "other"}): {"/site/b.py"}}
    (clash,) = clashes(STARTRACK, "opencv-python", "onnxruntime", first, second)
    assert clash.packages == ("other", "scikit-image")
    assert clash.problem == "1 files belong to other and scikit-image, /site/b.py for one"
    # packages that startrack has nothing to do with are none of its business
    assert clashes(STARTRACK, "opencv-python", "onnxruntime", owner("a", "/site/c.py"), owner("b", "/site/c.py")) == []


def write_metadata(site: Path, name: str, *lines: str, record: str = "") -> None:
    folder = site / f"{name.replace('-', '_')}-2.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 2.1", *lines, ""]))
    (folder / "RECORD").write_text(record)


def test_packages_are_read_from_their_metadata(tmp_path: Path) -> None:
    write_metadata(
        tmp_path,
        "Some_Package",
        "Requires-Dist: numpy<3,>=2",
        "Requires-Dist: Opencv.Python (>=4); python_version > '3'",
        "Requires-Dist: torch; extra == 'train'",
        record="pkg/a.py,sha256=x,12\npkg/__init__.py,sha256=y,0\npkg/__pycache__/a.pyc,,\n../bin/run,sha256=z,3\n",
    )
    write_metadata(tmp_path, "broken", record='"never closed')
    found = installed_packages([str(tmp_path)])
    assert set(found) == {"some-package", "broken"}
    package = found["some-package"]
    assert package.version == "2.1"
    assert package.requires == {"numpy", "opencv-python"}
    assert package.optional == {"torch"}
    assert package.files == {str(tmp_path / "pkg/a.py"), str(tmp_path.parent / "bin/run")}
    assert found["broken"].files == frozenset()


def test_this_environment_is_read() -> None:
    assert "numpy" in installed_packages()


def test_missing_libraries() -> None:
    assert library_cure("ImportError: libSM.so.6: cannot open shared object file") == "on Debian: apt install libsm6"
    assert library_cure("ImportError: something else") is None

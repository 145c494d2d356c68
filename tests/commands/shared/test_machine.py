"""The doctor's checks, and the window that asks it about the display."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from startrack.commands.shared import machine
from startrack.commands.shared.machine import Check, Report, Status, check_cv2, check_onnxruntime, check_zoo, diagnose
from startrack.commands.shared.packages import OPENCV, Package
from startrack.tracker.screen.window import Window, display_problem
from startrack.tracker.sinks.base import SinkError
from tests.engines.made_provenance import write_provenance


def test_diagnose_reports_every_part_once() -> None:
    report = diagnose()
    names = [check.name for check in report.checks]
    assert len(names) == len(set(names))
    for name in (
        "python",
        "numpy",
        "opencv",
        "mediapipe",
        "detector model",
        "gpu",
        "tensorrt for rtx",
        "display",
        "cameras",
    ):
        assert name in names
    assert all(check.detail and "\n" not in check.detail for check in report.checks)


def test_diagnose_loads_no_heavy_package() -> None:
    code = (
        "import sys; from startrack.commands.shared.machine import diagnose; diagnose(); "
        "print([n for n in ('torch', 'mediapipe', 'tensorrt', 'onnxruntime') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_required_part_that_is_missing_prevents_tracking() -> None:
    optional = Check("torch", Status.MISSING, "…")
    assert Report((optional, Check("opencv", Status.WARNING, "…", required=True))).can_track
    assert not Report((optional, Check("numpy", Status.MISSING, "…", required=True))).can_track


def packages(*names: str) -> dict[str, Package]:
    return {name: Package(name, "5.0") for name in names}


@pytest.mark.parametrize(
    ("installed", "variant", "status"),
    [
        (("opencv-python",), "opencv-python", Status.OK),
        (("opencv-contrib-python",), "opencv-contrib-python", Status.OK),
        (("opencv-python-headless",), "opencv-python-headless", Status.OK),
        ((), "opencv-python", Status.OK),  # by conda or the system
        ((), None, Status.MISSING),
        (("opencv-python",), None, Status.MISSING),  # another was uninstalled and took the files along
    ],
)
def test_opencv_distributions(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], variant: str | None, status: Status
) -> None:
    monkeypatch.setattr(machine, "_cv2_variant", lambda: variant)
    monkeypatch.setattr(machine, "_import", lambda code: ["5.0"])
    assert check_cv2(packages(*installed)).status is status


def test_an_opencv_without_its_files_is_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cv2_variant", lambda: None)
    detail = check_cv2(packages("opencv-python-headless")).detail
    assert "pip install --force-reinstall --no-deps opencv-python-headless" in detail


def test_a_library_that_opencv_lacks_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    error = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
    monkeypatch.setattr(machine, "_import", lambda code: error)
    check = check_cv2(packages("opencv-python"))
    assert check.status is Status.MISSING
    assert "libGL.so.1" in check.detail
    assert "apt install libgl1, or take opencv-python-headless" in check.detail


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu"])
def test_either_onnx_runtime_will_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(machine, "_import", lambda code: ["CPUExecutionProvider"])
    assert check_onnxruntime(packages(name)).detail == f"{name} 5.0: CPUExecutionProvider"
    monkeypatch.setattr(machine, "_import", lambda code: "ImportError: half of it is gone")
    check = check_onnxruntime(packages(name))
    assert (check.status, check.required) == (Status.MISSING, True)
    assert f"pip install --force-reinstall --no-deps {name}" in check.detail


def test_a_clash_is_a_line_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    both = packages("startrack", "opencv-python", "opencv-python-headless")
    monkeypatch.setattr(machine, "installed_packages", lambda: both)
    found = {check.name: check for check in diagnose().checks}
    check = found["opencv-python, opencv-python-headless"]
    assert check.status is Status.WARNING
    assert "run: pip uninstall --yes opencv-python opencv-python-headless && pip install opencv-python" in check.detail


def test_the_installed_opencv_is_recognised() -> None:
    assert machine._cv2_variant() in OPENCV


def test_zoo_files_are_compared_with_their_sidecar(tmp_path: Path) -> None:
    licences = {"good": "free", "studied": "research", "unknown": None, "wrong": "free"}
    sidecars = {"changed": b"other", "alone": None, "odd": b"", **dict.fromkeys(licences, b"model")}
    for name, sidecar in sidecars.items():
        (tmp_path / f"{name}.onnx").write_bytes(b"model")
        if sidecar:
            content = {"spec": {}, "sha256": hashlib.sha256(sidecar).hexdigest()}
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
    for name, licence in licences.items():
        if licence is not None:
            write_provenance(tmp_path / f"{name}.onnx", licence, free_input=name != "wrong")
    (tmp_path / "odd.json").write_text("[1, 2]")
    found = {check.name: check for check in check_zoo(tmp_path, {"good": "for tests"})}
    assert {name: check.status for name, check in found.items()} == {
        "model good": Status.OK,
        "model changed": Status.WARNING,
        "model alone": Status.WARNING,
        "model odd": Status.WARNING,
        "model studied": Status.OK,
        "model unknown": Status.WARNING,
        "model wrong": Status.WARNING,
    }
    assert found["model good"].detail.startswith("for tests, 0.0 MB, sha256 ")
    assert found["model good"].detail.endswith(", free for any use")
    assert found["model studied"].detail.endswith(", for non-commercial research only")
    assert found["model unknown"].detail.endswith("; nothing says what it may be used for")
    assert "wrong.onnx: said to be free, but made from 'pictures'" in found["model wrong"].detail
    assert "damaged or exchanged" in found["model changed"].detail


def test_an_empty_zoo_is_missing(tmp_path: Path) -> None:
    (check,) = check_zoo(tmp_path, {})
    assert check.status is Status.MISSING
    assert check.required


def test_a_broken_package_is_a_line_of_the_report() -> None:
    check = machine._found("x", machine._import("raise OSError('libnvinfer is gone')"), "tensorrt")
    assert check.status is Status.WARNING
    assert check.detail == "tensorrt fails: OSError: libnvinfer is gone"


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are looked up on Linux only")


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


def rtx_of(
    monkeypatch: pytest.MonkeyPatch, *, modules: set[str], cards: list[str] | str | None, cuda: bool = True
) -> Check:
    """The line about TensorRT for RTX. cards: what nvidia-smi prints, None where there is no such program."""
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: object() if name in modules else None)
    monkeypatch.setattr(machine, "_import", lambda code: ["1.7.1.116", "NONE CURRENT SM75 SM86 SM89 SM120"])
    monkeypatch.setattr(machine.shutil, "which", lambda program: None if cards is None else f"/usr/bin/{program}")
    monkeypatch.setattr(machine, "_run", lambda command: cards)
    monkeypatch.setattr(machine, "installed_version", lambda name: "12.9" if cuda else None)
    return machine._tensorrt_rtx()


BINDINGS = {"tensorrt_rtx_bindings"}


@pytest.mark.parametrize(
    ("cards", "cuda", "words"),
    [
        (None, True, "runs none here: no NVIDIA driver (nvidia-smi not found)"),
        ("cannot reach the driver", True, "runs none here: nvidia-smi fails: cannot reach the driver"),
        (["9.0, NVIDIA H200"], True, "runs none here: NVIDIA H200 has compute capability 9.0"),
        (["8.6, NVIDIA GeForce RTX 3060"], False, "runs none here: no cuda-python: pip install 'startrack[rtx]'"),
        (["12.0, NVIDIA GeForce RTX 5090"], True, "runs them on NVIDIA GeForce RTX 5090 of 12.0"),
    ],
)
def test_tensorrt_for_rtx_and_what_is_missing_to_run_it(
    monkeypatch: pytest.MonkeyPatch, cards: list[str] | str | None, cuda: bool, words: str
) -> None:
    check = rtx_of(monkeypatch, modules=BINDINGS, cards=cards, cuda=cuda)
    assert check.status is Status.OK
    assert check.detail == f"1.7.1.116: builds plans for compute capability 7.5, 8.6, 8.9, 12.0; {words}"


def test_tensorrt_for_rtx_that_is_missing_or_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    check = rtx_of(monkeypatch, modules=set(), cards=None)
    assert (check.status, check.detail) == (Status.MISSING, "optional: pip install 'startrack[rtx]'")
    rtx_of(monkeypatch, modules=BINDINGS, cards=None)
    monkeypatch.setattr(machine, "_import", lambda code: "ImportError: libtensorrt_rtx.so.1")
    broken = machine._tensorrt_rtx()
    assert broken.status is Status.WARNING
    assert broken.detail == "tensorrt_rtx_bindings fails: ImportError: libtensorrt_rtx.so.1"


@linux
@pytest.mark.usefixtures("no_display")
def test_a_window_without_a_display_is_refused() -> None:
    assert display_problem() is not None
    with pytest.raises(SinkError, match="neither DISPLAY nor WAYLAND_DISPLAY is set"):
        Window("startrack")


@linux
@pytest.mark.usefixtures("no_display")
def test_a_display_that_does_not_answer_is_refused_and_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    assert display_problem() is None
    with pytest.raises(SinkError, match=r"OpenCV (cannot open a window|has no windows)"):
        Window("startrack")

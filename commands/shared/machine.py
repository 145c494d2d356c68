"""What this machine has of what startrack needs: for `startrack doctor`.

Heavy or fragile packages are looked up in their metadata or imported in a process of their own, so that a broken one
is a line of the report.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path

import startrack.engines.base
from startrack import __version__
from startrack.commands.shared.packages import (
    CORE,
    FULL,
    ONNXRUNTIME,
    OPENCV,
    Package,
    find_clashes,
    installed_packages,
    library_cure,
)
from startrack.engines.base import EngineError
from startrack.engines.zoo.provenance import FREE, licence_of
from startrack.errors import install_line
from startrack.outside import LARGEST_FACTS, read_json
from startrack.tracker.detect.fetch import resolve_model

ZOO = Path(startrack.engines.base.__file__).parent / "zoo"
"""The shipped model files."""
REQUIRED = ("numpy", "av", "typer", "rich")
"""Besides OpenCV and ONNX Runtime, which have several names."""
OPTIONAL = {"torch": "train", "tensorrt": "gpu", "cuda-python": "gpu", "scikit-image": "demo"}
"""Distribution → the extra that brings it."""
RTX_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")
PROBE_SECONDS = 60.0


class Status(Enum):
    """Outcome of one check."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    detail: str
    """The finding; for a warning or a missing part also its remedy."""
    required: bool = False
    """Whether tracking a video needs it."""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks, in the order to show them."""

    checks: tuple[Check, ...]

    @property
    def can_track(self) -> bool:
        """Whether nothing is missing that tracking a video needs."""
        return not any(check.required and check.status is Status.MISSING for check in self.checks)


def diagnose(zoo: Path = ZOO, uses: Mapping[str, str] | None = None) -> Report:
    """Look at everything; takes about two seconds, raises nothing, needs no network.

    zoo: folder of the models. uses: name of a model → its use.
    """
    packages = installed_packages()
    return Report(
        (
            Check("python", Status.OK, f"{platform.python_version()} on {platform.platform()}"),
            _ours(packages),
            *(_package(name) for name in REQUIRED),
            check_cv2(packages),
            check_onnxruntime(packages),
            *(Check(", ".join(clash.packages), Status.WARNING, str(clash)) for clash in find_clashes(packages)),
            *(_package(name, extra) for name, extra in OPTIONAL.items()),
            _mediapipe(),
            *check_zoo(zoo, uses or {}),
            _detector_model(),
            _gpu(),
            _tensorrt(),
            _tensorrt_rtx(),
            _display(),
            _cameras(),
        )
    )


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_cv2(packages: Mapping[str, Package]) -> Check:
    """Whether OpenCV can be imported, and from which distributions it comes."""
    installed = [name for name in OPENCV if name in packages]
    names, variant = " and ".join(f"{name} {packages[name].version}" for name in installed), _cv2_variant()
    if not installed and variant is None:
        return Check("opencv", Status.MISSING, f"pip install {OPENCV[0]}", required=True)
    if variant is None:
        cure = f"pip install --force-reinstall --no-deps {installed[0]}"
        return Check("opencv", Status.MISSING, f"{names}: files are lacking; run: {cure}", required=True)
    if isinstance(error := _import("import cv2; print(cv2.__version__)"), str):
        cure = f"; {library}, or take {OPENCV[1]} (README, Install)" if (library := library_cure(error)) else ""
        return Check("opencv", Status.MISSING, f"{names}: cannot be imported: {error}{cure}", required=True)
    return Check("opencv", Status.OK, names or f"{variant}, not installed by pip", required=True)


def check_onnxruntime(packages: Mapping[str, Package]) -> Check:
    """Whether ONNX Runtime can be imported, from which distributions it comes, and its devices."""
    installed = [name for name in ONNXRUNTIME if name in packages]
    names = " and ".join(f"{name} {packages[name].version}" for name in installed)
    if importlib.util.find_spec("onnxruntime") is None:
        cure = (
            f"pip install --force-reinstall --no-deps {installed[0]}" if installed else f"pip install {ONNXRUNTIME[0]}"
        )
        return Check("onnxruntime", Status.MISSING, cure, required=True)
    providers = _import("import onnxruntime; print(*onnxruntime.get_available_providers(), sep=', ')")
    if isinstance(providers, str):
        cure = f"; run: pip install --force-reinstall --no-deps {installed[0]}" if installed else ""
        return Check("onnxruntime", Status.MISSING, f"{names}: cannot be imported: {providers}{cure}", required=True)
    return Check("onnxruntime", Status.OK, f"{names or 'not installed by pip'}: {'; '.join(providers)}", required=True)


def check_zoo(folder: Path, uses: Mapping[str, str]) -> Iterator[Check]:
    """One check for each .onnx file: does it match the sha256 in its JSON file?"""
    models = sorted(folder.glob("*.onnx"))
    if not models:
        yield Check("models", Status.MISSING, f"no .onnx file in {folder}", required=True)
    for model in models:
        sidecar = model.with_suffix(".json")
        try:
            expected = read_json(sidecar, LARGEST_FACTS)["sha256"]
            with model.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield Check(f"model {model.stem}", Status.WARNING, f"cannot be checked against {sidecar.name}: {error!r}")
            continue
        size = f"{model.stat().st_size / 1e6:.1f} MB"
        use = f"{uses[model.stem]}, " if model.stem in uses else ""
        if digest == expected:
            yield _licensed(model, f"{use}{size}, sha256 {digest[:12]}")
        else:
            detail = f"sha256 {digest[:12]}, {sidecar.name} says {str(expected)[:12]}: damaged or exchanged"
            yield Check(f"model {model.stem}", Status.WARNING, detail)


def _licensed(model: Path, detail: str) -> Check:
    """The line of a whole model file, with its licence."""
    try:
        licence = licence_of(model)
    except EngineError as error:
        return Check(f"model {model.stem}", Status.WARNING, f"{detail}; {error}")
    if licence is None:
        return Check(f"model {model.stem}", Status.WARNING, f"{detail}; nothing says what it may be used for")
    use = "free for any use" if licence == FREE else "for non-commercial research only"
    return Check(f"model {model.stem}", Status.OK, f"{detail}, {use}")


def _ours(packages: Mapping[str, Package]) -> Check:
    names = [f"{name} {packages[name].version}" for name in (FULL, CORE) if name in packages]
    return Check("startrack", Status.OK, " and ".join(names) or f"{__version__}, not installed: run from its checkout")


def _package(name: str, extra: str | None = None) -> Check:
    version = installed_version(name)
    if version is not None:
        return Check(name, Status.OK, version, required=extra is None)
    detail = f"pip install {name}" if extra is None else f"optional: {install_line(extra)}"
    return Check(name, Status.MISSING, detail, required=extra is None)


def _cv2_variant() -> str | None:
    """Name of the distribution whose files lie in cv2, from cv2/version.py; None if there is no whole cv2."""
    spec = importlib.util.find_spec("cv2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    try:
        tree = ast.parse((folder / "version.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return None
    flags = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return f"opencv-{'contrib-' if flags.get('contrib') else ''}python{'-headless' if flags.get('headless') else ''}"


def _mediapipe() -> Check:
    """Its OpenCV is another one than startrack's, so it is an extra of startrack-core alone."""
    if version := installed_version("mediapipe"):
        return Check("mediapipe", Status.OK, version)
    return Check("mediapipe", Status.MISSING, f"optional: with {CORE} in place of {FULL} (README, Install)")


def _detector_model() -> Check:
    try:
        return Check("detector model", Status.OK, str(resolve_model()))
    except EngineError as error:
        return Check("detector model", Status.MISSING, f"optional: {error}")


def _gpu() -> Check:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("gpu", Status.MISSING, "optional: no NVIDIA driver (nvidia-smi not found); models run on the CPU")
    lines = _run([program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
    return _found("gpu", lines, "nvidia-smi")


def _tensorrt() -> Check:
    if importlib.util.find_spec("tensorrt") is None:
        return Check("tensorrt import", Status.MISSING, f"optional: {install_line('gpu')}")
    return _found("tensorrt import", _import("import tensorrt; print(tensorrt.__version__)"), "tensorrt")


def _tensorrt_rtx() -> Check:
    """TensorRT for RTX: the cards that it builds for here, and missing parts to run it."""
    module = next((name for name in RTX_MODULES if importlib.util.find_spec(name)), None)
    if module is None:
        return Check("tensorrt for rtx", Status.MISSING, f"optional: {install_line('rtx')}")
    code = f"import {module} as t; print(t.__version__); print(*t.ComputeCapability.__members__)"
    lines = _import(code)
    if isinstance(lines, str) or len(lines) != 2:
        return Check("tensorrt for rtx", Status.WARNING, f"{module} fails: {lines}")
    known = [f"{name[2:-1]}.{name[-1]}" for name in lines[1].split() if name.startswith("SM")]
    detail = f"{lines[0]}: builds plans for compute capability {', '.join(known)}; {_runs_rtx(known)}"
    return Check("tensorrt for rtx", Status.OK, detail)


def _runs_rtx(known: list[str]) -> str:
    """Whether plans for these compute capabilities run here, or the first part that is missing."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "runs none here: no NVIDIA driver (nvidia-smi not found)"
    cards = _run([program, "--query-gpu=compute_cap,name", "--format=csv,noheader"])
    if isinstance(cards, str):
        return f"runs none here: nvidia-smi fails: {cards}"
    capability, _, name = cards[0].partition(",")
    if capability not in known:
        return f"runs none here: {name.strip()} has compute capability {capability}"
    if installed_version("cuda-python") is None:
        return f"runs none here: no cuda-python: {install_line('rtx')}"
    return f"runs them on {name.strip()} of {capability}"


def _display() -> Check:
    try:
        from startrack.tracker.screen.window import window_problem
    except ImportError as error:  # no OpenCV
        return Check("display", Status.MISSING, f"cannot be looked for: {error}")
    problem = window_problem()
    return Check("display", Status.MISSING if problem else Status.OK, f"optional: {problem}" if problem else "works")


def _cameras() -> Check:
    try:
        from startrack.tracker.video.source import list_devices
    except ImportError as error:  # no PyAV or no OpenCV
        return Check("cameras", Status.MISSING, f"cannot be looked for: {error}")
    cameras = list_devices()
    return Check("cameras", Status.OK if cameras else Status.MISSING, ", ".join(cameras) or "optional: none found")


def _import(code: str) -> list[str] | str:
    return _run([sys.executable, "-P", "-c", code])


def _run(command: Iterable[str]) -> list[str] | str:
    """The lines that a command printed, or why it failed."""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    try:
        result = subprocess.run(
            list(command), capture_output=True, text=True, timeout=PROBE_SECONDS, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    if result.returncode == 0 and lines:
        return lines
    errors = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    return errors[-1] if errors else f"exit status {result.returncode}"


def _found(name: str, outcome: list[str] | str, program: str) -> Check:
    if isinstance(outcome, str):
        return Check(name, Status.WARNING, f"{program} fails: {outcome}")
    return Check(name, Status.OK, "; ".join(outcome))

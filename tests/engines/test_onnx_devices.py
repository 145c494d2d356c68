"""Which of ONNX Runtime's providers a device asks for, and what is said where they are missing.

No test here runs on a GPU: the sessions are the CPU's own, what ONNX Runtime says of its providers is changed.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from startrack.engines import load_engine
from startrack.engines.base import EngineError
from startrack.engines.onnx_session import CPU, CUDA, TENSORRT

BUILT_FOR_GPU = [TENSORRT, CUDA, CPU]


class Sessions:
    """Sessions of an ONNX Runtime built for GPUs, of which `working` can be used."""

    def __init__(self, working: list[str], *, raises: bool = False) -> None:
        self.working, self.raises = working, raises
        self.asked: list[list[Any]] = []

    def __call__(self, path: str, options: Any, *, providers: list[Any], enable_fallback: int) -> Any:
        assert enable_fallback == 0
        self.asked.append(providers)
        names = [entry if isinstance(entry, str) else entry[0] for entry in providers]
        if self.raises and names[0] not in self.working:
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
        session = REAL(path, options, providers=[CPU])
        got = [name for name in names if name in self.working]
        session.get_providers = lambda: got
        return session


REAL = onnxruntime.InferenceSession


def install(monkeypatch: pytest.MonkeyPatch, sessions: Sessions) -> Sessions:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BUILT_FOR_GPU)
    monkeypatch.setattr(onnxruntime, "InferenceSession", sessions)
    return sessions


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_build_for_the_cpu_says_what_is_missing(device: str, tiny_onnx: Path) -> None:
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime is built for GPUs")
    with pytest.raises(EngineError, match=rf"tiny\.onnx: device {device}: .* expected the package onnxruntime-gpu"):
        load_engine(tiny_onnx, device)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", [CPU]),
        ("cuda", [(CUDA, {"use_tf32": "0"}), CPU]),
        ("auto", [(CUDA, {"use_tf32": "0"}), CPU]),
        ("tensorrt", [TENSORRT, (CUDA, {"use_tf32": "0"}), CPU]),
    ],
)
def test_a_device_is_its_providers_in_order(
    device: str, expected: list[Any], tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = install(monkeypatch, Sessions(BUILT_FOR_GPU))
    with load_engine(tiny_onnx, device) as engine:
        assert engine(np.zeros((1, 64, 64, 3), np.uint8)).points.shape == (1, 68, 2)
    assert sessions.asked == [expected]


@pytest.mark.parametrize("raises", [False, True])
def test_a_gpu_that_does_not_start_is_named_and_auto_takes_the_cpu(
    raises: bool, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, Sessions([CPU], raises=raises))
    reason = "no CUDA-capable device" if raises else "CUDAExecutionProvider did not start: no NVIDIA GPU, or libraries"
    with pytest.raises(EngineError, match=reason):
        load_engine(tiny_onnx, "cuda")
    with caplog.at_level(logging.WARNING, "startrack"), load_engine(tiny_onnx, "auto") as engine:
        assert engine(np.zeros((1, 64, 64, 3), np.uint8)).points.shape == (1, 68, 2)
    assert "tiny.onnx: runs on the CPU: CUDAExecutionProvider did not start" in caplog.text


def test_what_fails_in_a_run_is_named(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load_engine(tiny_onnx, "cpu")

    class Broken:
        def run(self, names: Any, inputs: Any) -> None:
            raise RuntimeError("out of memory\nand a trace")

    monkeypatch.setattr(engine, "_session", Broken())
    with pytest.raises(EngineError, match=r"^tiny: ONNX Runtime failed: out of memory$"):
        engine(np.zeros((1, 64, 64, 3), np.uint8))

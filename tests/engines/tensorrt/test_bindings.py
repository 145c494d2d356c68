"""The doubles against NVIDIA's real Python bindings, and our classes on them.

The library under TensorRT's bindings is a stub; TensorRT for RTX is whole.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.engines import bindings
from tests.engines.tensorrt.api import describe, load_api, run_on_bindings
from tests.engines.tensorrt.behaviour import FakeTensorRt

ROOT = Path(__file__).parents[3]
libraries = pytest.mark.parametrize("library", bindings.TENSORRT)


@libraries
def test_the_double_is_made_of_what_the_real_bindings_offer(library: int | str, tmp_path: Path) -> None:
    assert describe(library, tmp_path) == load_api(library)


OUR_CLASSES = """
import logging
from startrack.engines.base import UnsuitableError
from startrack.engines.plans.library import Messages, create, logger_for, make_error_recorder, open_tensorrt
from startrack.engines.plans.progress import BuildProgress, make_monitor
from rich.console import Console

trt, messages = open_tensorrt(), Messages()
logger, recorder = logger_for(trt, messages), make_error_recorder(trt, messages)
print(isinstance(logger, trt.ILogger), isinstance(recorder, trt.IErrorRecorder))
logger.log(trt.ILogger.Severity.ERROR, "first")
logger.log(trt.ILogger.Severity.INFO, "not kept")
print(recorder.report_error(trt.ErrorCodeTRT.INVALID_CONFIG, "second"))
print(recorder.num_errors(), recorder.get_num_errors(), recorder.get_error_desc(1))
print(recorder.get_error_code(1), recorder.get_error_code(0))
print(messages.to_text())
recorder.clear()
print(recorder.num_errors(), recorder.has_overflowed())
progress = BuildProgress(Console())
monitor = make_monitor(trt, progress)
monitor.phase_start("Building", None, 2)
monitor.phase_start("Timing", "Building", 5)
print(progress.running, monitor.step_complete("Timing", 0))
progress.cancel()
print(monitor.step_complete("Timing", 1), monitor.step_complete("unknown", 1))
monitor.phase_finish("Timing")
print(progress.running)
for kind in (trt.Builder, trt.Runtime):
    try:
        create(kind, logger, messages)
    except UnsuitableError as error:
        print(error)
"""
NOTHING = "pybind11::init(): factory function returned nullptr"


@libraries
def test_our_logger_recorder_and_monitor_on_the_real_bindings(library: int | str, tmp_path: Path) -> None:
    assert run_on_bindings(library, tmp_path, OUR_CLASSES).splitlines() == [
        "True True",
        "True",
        "2 2 second",
        "ErrorCodeTRT.INVALID_CONFIG ErrorCodeTRT.UNSPECIFIED_ERROR",
        "first; second",
        "0 False",
        "['Building', 'Timing'] True",
        "False False",
        "['Building']",
        # TensorRT for RTX starts, also without a GPU
        *([] if library == bindings.RTX else [f"TensorRT cannot start: {NOTHING}"] * 2),
    ]


REFUSED = [
    "trt.BuilderFlag.FP16",
    "trt.Builder()",
    "trt.Builder(5)",
    "trt.Builder(logger='x')",
    "trt.ICudaEngine()",
    "trt.IOptimizationProfile()",
    "trt.ILogger.Severity.FATAL",
    "trt.DataType.DOUBLE",
    "trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
    "trt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY",
    "trt.MemoryPoolType.WORKSPACE.value + 0",
    "1 << trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    "1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)",
    "tuple(trt.Dims((1, 2)))",
    "trt.IBuilderConfig.int8_calibrator",
    "trt.ICudaEngine.device_memory_size",
    "trt.ICudaEngine.device_memory_size_v2",
    "trt.Builder.platform_has_fast_fp16",
    "trt.OnnxParser.supports_model",
    "trt.OnnxParser.supports_model_v2",
    "trt.IExecutionContext.execute_async_v2",
    "trt.IExecutionContext.execute_async_v3",
]
"""Of either version, what it has and what it lacks; the double must answer as the real one does."""
EVALUATE = """
def outcome(expression, trt):
    try:
        eval(expression)
    except (AttributeError, TypeError) as error:
        return type(error).__name__
    return "taken"
"""


@libraries
def test_the_double_refuses_what_the_real_bindings_refuse(library: int | str, tmp_path: Path) -> None:
    script = f"{EVALUATE}\nfor text in {REFUSED!r}:\n    print(outcome(text, tensorrt_bindings))"
    real = run_on_bindings(library, tmp_path, script).splitlines()
    double, scope = FakeTensorRt(library).module, {}
    exec(EVALUATE, scope)
    assert [f"{text}: {scope['outcome'](text, double)}" for text in REFUSED] == [
        f"{text}: {found}" for text, found in zip(REFUSED, real, strict=True)
    ]
    assert {"taken", "AttributeError", "TypeError"} <= set(real)


def test_flags_of_tensorrt_10_are_refused_on_11() -> None:
    """The trap: code that asks hasattr(BuilderFlag, "FP16") builds a float32 plan on 11 and says nothing."""
    assert hasattr(FakeTensorRt(10).module.BuilderFlag, "FP16")
    assert not hasattr(FakeTensorRt(11).module.BuilderFlag, "FP16")


@libraries
@pytest.mark.parametrize(
    "call",
    [
        lambda trt, config: config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, "2 GB"),
        lambda trt, config: config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE),
        lambda trt, config: config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, size=5),
        lambda trt, config: config.set_memory_pool_limit(0, 5),
        lambda trt, config: config.clear_flag(7),
        lambda trt, config: config.add_optimization_profile(None),
        lambda trt, config: setattr(config, "builder_optimization_level", "high"),
        lambda trt, config: setattr(config, "profiling_verbosity", 2),
    ],
)
def test_the_double_checks_arguments(library: int | str, call: object) -> None:
    fake = FakeTensorRt(library)
    config = fake.new("IBuilderConfig", profiles=[])
    with pytest.raises(TypeError):
        call(fake.module, config)  # type: ignore[operator]
    config.set_memory_pool_limit(pool=fake.module.MemoryPoolType.WORKSPACE, pool_size=5)


@libraries
def test_the_double_refuses_unknown_and_fixed_properties(library: int | str) -> None:
    fake = FakeTensorRt(library)
    config = fake.new("IBuilderConfig", profiles=[])
    with pytest.raises(AttributeError, match="max_workspace_size"):
        config.max_workspace_size = 5  # of TensorRT 8
    with pytest.raises(AttributeError):
        config.num_optimization_profiles = 5
    with pytest.raises(NotImplementedError, match=r"does not play IBuilderConfig\.reset"):
        config.reset()


def chains(path: Path) -> set[str]:
    """Every `trt.X.Y` of a file, without the `trt.`; longest chains only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts, value = [], node
        while isinstance(value, ast.Attribute):
            parts.append(value.attr)
            value = value.value
        if parts and (isinstance(value, ast.Name) and value.id == "trt"):
            found.add(".".join(reversed(parts)))
    return {chain for chain in found if not any(other.startswith(f"{chain}.") for other in found)}


@libraries
def test_every_name_in_the_engines_is_offered(library: int | str) -> None:
    """Also on paths that no other test takes."""
    module = FakeTensorRt(library).module
    names = set().union(*(chains(path) for path in (ROOT / "engines").rglob("*.py")))
    assert {"IProgressMonitor.__init__", "MemoryPoolType.WORKSPACE", "BuilderFlag.TF32"} <= names
    for name in sorted(names):
        value: object = module
        for part in name.split("."):
            assert hasattr(value, part), f"trt.{name}"
            value = getattr(value, part)

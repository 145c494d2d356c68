"""Damaged and hostile files, to every loader: one clear error, nothing executed, memory bounded.

The loaders run in a process of their own with a limit on its memory, and with a hook that reports what is executed.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from startrack.engines.base import SPEC_KEY, ModelSpec
from startrack.engines.plans.facts import PlanFacts
from startrack.engines.sidecar import sidecar_path, write_sidecar
from startrack.train.weights.checkpoint import save_training, save_weights
from tests.conftest import ROOT

LIMIT_MB = 1500
"""More than a loader may take beyond what the libraries took before."""
LOADERS = """
import json, os, resource, sys
from pathlib import Path
from startrack.engines import load_detector, load_engine
from startrack.engines.base import EngineError
from startrack.engines.graphs.fold import read_graph
from startrack.engines.sidecar import read_sidecar
from startrack.train.weights.checkpoint import load_training, load_weights
import startrack.engines.onnx_engine, startrack.engines.onnx_detector_engine
from startrack.engines.plans import plan as plans
from types import SimpleNamespace

class NoTensorRt:
    __version__ = "11.4.0.106"
    def __getattr__(self, name):
        raise LookupError("handed to TensorRT")

gpu = SimpleNamespace(name="GPU", compute_capability="8.6", multiprocessors=28)
cuda = SimpleNamespace(gpu=lambda: gpu)
plans.open_tensorrt = lambda runtime: NoTensorRt()

LOADERS = {
    "plan": lambda path: plans.open_plan(path, cuda),
    "engine": lambda path: load_engine(path, "cpu").close(),
    "detector": lambda path: load_detector(path, "cpu").close(),
    "graph": read_graph, "weights": load_weights, "training": load_training, "sidecar": read_sidecar,
}
pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = pages + int(sys.argv[1]) * 1_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
executed = []
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect")
def watch(event, arguments):
    if event in FORBIDDEN:
        executed.append(event)
sys.addaudithook(watch)
# what a library prints goes elsewhere
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
print("ready", file=answers, flush=True)
for line in sys.stdin:
    name, path = json.loads(line)
    executed.clear()
    try:
        LOADERS[name](Path(path))
        answer = ["loaded", ""]
    except EngineError as error:
        answer = ["EngineError", str(error)]
    except BaseException as error:
        answer = [type(error).__name__, repr(error)]
    print(json.dumps([*answer, executed]), file=answers, flush=True)
"""


class Loaders:
    """The process that loads."""

    def __init__(self) -> None:
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LOADERS, str(LIMIT_MB)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._stream(process.stdout).readline() == "ready\n"
        return process

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream

    def load(self, name: str, path: Path) -> tuple[str, str, list[str]]:
        """Class of the error or "loaded", its message, and what was executed."""
        stdin, stdout = self._stream(self.process.stdin), self._stream(self.process.stdout)
        stdin.write(json.dumps([name, str(path)]) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:  # it died
            code = self.process.wait()
            self.process = self._start()
            return "died", f"exit code {code}", []
        kind, message, executed = json.loads(line)
        return kind, message, executed

    def close(self) -> None:
        self._stream(self.process.stdin).close()
        self._stream(self.process.stdout).close()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def loaders() -> Iterator[Loaders]:
    loaders = Loaders()
    yield loaders
    loaders.close()


@pytest.fixture(scope="module")
def whole(
    tiny_onnx: Path, tiny_module: torch.nn.Module, tiny_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A good file for each loader."""
    folder = tmp_path_factory.mktemp("whole")
    weights, training = folder / "weights.safetensors", folder / "training.pt"
    save_weights(weights, tiny_module, tiny_spec)
    save_training(training, {"model": tiny_module.state_dict(), "epoch": 3})
    sidecar = folder / "alone.onnx"
    sidecar_path(sidecar).write_bytes(sidecar_path(tiny_onnx).read_bytes())
    return {"engine": tiny_onnx, "graph": tiny_onnx, "weights": weights, "training": training, "sidecar": sidecar}


KINDS = ("engine", "graph", "weights", "training", "sidecar")
FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8)


def changed(content: bytes, keep: float, flips: list[tuple[float, int]], extra: bytes) -> bytes:
    """A file cut off, with bytes changed, most of them where headers are, and something at its end."""
    data = bytearray(content[: round(len(content) * keep)])
    for number, (place, bits) in enumerate(flips):
        if data:
            span = min(len(data), 2000) if number % 2 else len(data)
            data[int(place * span)] ^= bits
    return bytes(data) + extra


def put(whole: Path, kind: str, folder: Path, content: bytes) -> Path:
    """Such a file, without the sidecar that would give it away by its hash."""
    path = folder / f"broken{whole.suffix}"
    written = sidecar_path(path) if kind == "sidecar" else path
    # a new file each time: the last one may still be mapped into the loaders' memory
    written.unlink(missing_ok=True)
    written.write_bytes(content)
    return path


def original(whole: Path, kind: str) -> bytes:
    return (sidecar_path(whole) if kind == "sidecar" else whole).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_load_within_the_limit(kind: str, loaders: Loaders, whole: dict[str, Path]) -> None:
    assert loaders.load(kind, whole[kind])[0] == "loaded"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]) | st.floats(0, 1), flips=FLIPS, extra=st.binary(max_size=20))
def test_damage_gives_an_engine_error_or_a_model(
    kind: str,
    keep: float,
    flips: list[tuple[float, int]],
    extra: bytes,
    loaders: Loaders,
    whole: dict[str, Path],
    tmp_path: Path,
) -> None:
    """A changed weight is still a model; everything else is one line that names the file."""
    path = put(whole[kind], kind, tmp_path, changed(original(whole[kind], kind), keep, flips, extra))
    outcome, message, executed = loaders.load(kind, path)
    assert outcome in ("EngineError", "loaded"), message
    assert executed == []
    if outcome == "EngineError":
        assert "broken." in message
        assert "\n" not in message
        assert len(message) < 1000


@pytest.fixture(scope="module")
def plan(tiny_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What no TensorRT made, with the sidecar of a plan for the machine that the loaders pretend to be."""
    path = tmp_path_factory.mktemp("plan") / "broken.plan"
    path.write_bytes(b"ptrt" + bytes(range(256)) * 20)
    facts = PlanFacts(
        runtime="tensorrt", tensorrt="11.4.0.106", compute_capabilities=("8.6",), gpu="GPU", multiprocessors=28,
        portable="no", precision="half", min_batch=1, opt_batch=4, max_batch=16, source="tiny.onnx",
        source_sha256="0" * 64, cuda="13.0", driver="13.1", created="2026-11-21", startrack="0.1.0", verdict="passed",
    )  # fmt: skip
    write_sidecar(path, tiny_spec, facts)
    return path


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    of_sidecar=st.booleans(),
    keep=st.sampled_from([0.5, 1.0]) | st.floats(0, 1),
    flips=FLIPS,
    extra=st.binary(max_size=20),
)
def test_a_damaged_plan_never_reaches_tensorrt(
    of_sidecar: bool,
    keep: float,
    flips: list[tuple[float, int]],
    extra: bytes,
    loaders: Loaders,
    plan: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / plan.name
    for whole, is_changed in ((plan, not of_sidecar), (sidecar_path(plan), of_sidecar)):
        content = whole.read_bytes()
        (tmp_path / whole.name).write_bytes(changed(content, keep, flips, extra) if is_changed else content)
    outcome, message, executed = loaders.load("plan", path)
    if path.read_bytes() == plan.read_bytes():
        # a sidecar may say something else of the plan, but not have another hash
        assert outcome in ("EngineError", "LookupError"), message
    else:
        assert outcome == "EngineError", message
    assert executed == []


def test_a_whole_plan_reaches_tensorrt(loaders: Loaders, plan: Path) -> None:
    assert loaders.load("plan", plan)[0] == "LookupError"


def huge_tensor(tiny_onnx: Path) -> bytes:
    """A kernel that says it has 2⁶² values, and one whose values are said to lie in /etc/passwd."""
    model = onnx.load(tiny_onnx)
    model.graph.initializer[0].dims[:] = [1 << 31, 1 << 31]
    return model.SerializeToString()


def outside_tensor(tiny_onnx: Path) -> bytes:
    model = onnx.load(tiny_onnx)
    entry = model.graph.initializer[0]
    entry.ClearField("raw_data")
    entry.data_location = TensorProto.EXTERNAL
    location = entry.external_data.add()
    location.key, location.value = "location", "../../../../etc/passwd"
    return model.SerializeToString()


def bomb(tiny_onnx: Path) -> bytes:
    """A constant of 4 TB, made by folding ConstantOfShape when the file is loaded."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1 << 20, 1 << 20])
    filled = helper.make_node("ConstantOfShape", ["shape"], ["filled"])
    total = helper.make_node("ReduceSum", ["filled"], ["points"], keepdims=0)
    crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 64, 64, 3])
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, [])
    graph = helper.make_graph([filled, total], "bomb", [crops], [points], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, onnx.load(tiny_onnx).metadata_props[0].value
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("make", [huge_tensor, outside_tensor, bomb])
@pytest.mark.parametrize("kind", ["engine", "graph"])
def test_onnx_files_that_ask_for_too_much_are_refused(
    kind: str, make: object, loaders: Loaders, tiny_onnx: Path, tmp_path: Path
) -> None:
    path = put(tiny_onnx, kind, tmp_path, make(tiny_onnx))  # type: ignore[operator]
    outcome, message, executed = loaders.load(kind, path)
    if make is bomb and kind == "graph":
        # it is read, not computed
        assert outcome in ("loaded", "EngineError"), message
    else:
        assert outcome == "EngineError", message
    assert executed == []


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<Q", 1 << 62),
        struct.pack("<Q", 90_000_000) + b"{",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[4611686018427387904],"x":[0,4]}}',
        struct.pack("<Q", 79) + b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}  ',
        struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)
def test_weights_that_declare_more_than_they_hold_are_refused(header: bytes, loaders: Loaders, tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    path.write_bytes(header)
    outcome, message, _ = loaders.load("weights", path)
    assert outcome == "EngineError", message
    assert "huge.safetensors: not a readable .safetensors checkpoint" in message


class Runs:
    """The effect of unpickling it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch executed",)


def test_a_training_state_runs_nothing(loaders: Loaders, tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    torch.save({"model": Runs()}, path)
    outcome, message, executed = loaders.load("training", path)
    assert outcome == "EngineError", message
    assert "not a readable training state" in message
    assert "\n" not in message
    assert executed == []
    assert not (ROOT / "executed").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not a model's sidecar"),
        (b"[" * 200_000, "not a model's sidecar"),
        (b'{"spec": ' * 50_000, "not a model's sidecar"),
        (b'{"spec": {}, "sha256": 1}', "not a startrack model specification"),
        (b"\xff\xfe\x00", "not a model's sidecar"),
        (b" " * 3_000_000 + b"{}", "expected a model's sidecar of"),
        (b'{"spec": {"name": "x", "input_size": 1e999}, "sha256": ""}', "specification"),
        (b'{"spec": {"kind": "face_detector", "strides": 5}, "sha256": ""}', "specification"),
        (b'{"spec": {"name": "x", "mean": {"a": 1}}, "sha256": ""}', "specification"),
    ],
)
def test_a_hostile_sidecar_is_refused(content: bytes, expected: str, loaders: Loaders, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.with_suffix(".json").write_bytes(content)
    outcome, message, _ = loaders.load("sidecar", path)
    assert outcome == "EngineError", message
    assert expected in message
    assert len(message) < 1000


def test_a_huge_file_is_not_read(loaders: Loaders, tmp_path: Path) -> None:
    """Sparse: 8 GB that take no disk."""
    for name, kind in (("huge.onnx", "engine"), ("huge.onnx", "graph"), ("huge.onnx", "detector")):
        with open(tmp_path / name, "wb") as file:
            file.truncate(8 << 30)
        outcome, message, _ = loaders.load(kind, tmp_path / name)
        assert outcome == "EngineError", message
        assert "huge.onnx: 8589934592 bytes; expected" in message


def test_a_training_state_of_several_disks_is_refused(loaders: Loaders, whole: dict[str, Path], tmp_path: Path) -> None:
    """Python's own test of zip files raises for it."""
    content = whole["training"].read_bytes()
    at = content.rindex(b"PK\x06\x07")
    path = put(whole["training"], "training", tmp_path, content[: at + 16] + b"\x09\0\0\0" + content[at + 20 :])
    outcome, message, _ = loaders.load("training", path)
    assert outcome == "EngineError", message
    assert "not a readable training state" in message

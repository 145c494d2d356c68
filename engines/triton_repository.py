"""A landmark model file → a model repository for NVIDIA's Triton Inference Server.

    DIR/compact-300w-slim/config.pbtxt     settings of the server
    DIR/compact-300w-slim/1/model.onnx     or model.plan, which needs the server image's own TensorRT version
    DIR/compact-300w-slim/1/model.py       for the python backend alone, which then runs the model.onnx

The specification travels as a parameter of the configuration, where engines/triton_engine.py reads it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.onnx_session import open_session
from startrack.engines.sidecar import read_sidecar
from startrack.whole_file import whole_folder, write_whole

Backend = Literal["tensorrt", "onnxruntime", "python"]
"""What runs the model on the server. python: ONNX Runtime again, of the server's Python, for servers without it."""
PLATFORMS: dict[Backend, str] = {
    "tensorrt": 'platform: "tensorrt_plan"',
    "onnxruntime": 'backend: "onnxruntime"',
    "python": 'backend: "python"',
}
"""→ the line of the configuration that names it."""
SUFFIXES: dict[Backend, str] = {"tensorrt": ".plan", "onnxruntime": ".onnx", "python": ".onnx"}
"""→ suffix of the model files that it runs."""


PYTHON_MODEL = Path(__file__).with_name("triton_python_model.py")


def write(
    model: Path,
    folder: Path,
    *,
    backend: Backend | None = None,
    spec: ModelSpec | None = None,
    max_batch: int = 16,
    preferred_batches: Sequence[int] = (4, 8, 16),
    max_delay_us: int = 1000,
    dynamic_batching: bool = True,
) -> Path:
    """Add a model to a repository, as its next version; returns the folder of that version.

    model: .plan or .onnx, copied; its inputs and outputs are those of engines.graphs.export. spec: by default the one
    of its sidecar. max_batch: faces in one run of the server, no more than the plan's profile allows;
    requests of several clients wait for each other max_delay_us at most. A server that watches the repository never
    sees half of a version. Raises EngineError without a spec, for another suffix, or if the folder cannot be written.
    """
    backend = backend or _backend_of(model)
    if model.suffix.lower() != SUFFIXES[backend]:
        raise EngineError(f"{model.name}: Triton's {backend} backend does not run it; expected {SUFFIXES[backend]}")
    if max_batch < 1 or max_delay_us < 0:
        raise EngineError(f"{model.name}: batch {max_batch}, delay {max_delay_us} µs; expected at least 1 and 0")
    spec = spec or _sidecar_spec(model, backend)
    home = folder / model_name(spec)
    preferred = [size for size in preferred_batches if size <= max_batch]
    batching = Batching(preferred, max_delay_us) if dynamic_batching else None
    config = config_text(backend, spec, max_batch, batching, visibility=gives_visibility(model))
    try:
        home.mkdir(parents=True, exist_ok=True)
        # first, because a server looks for it as soon as there is a version
        write_whole(home / "config.pbtxt", config)
        version = _add_version(model, home, backend)
    except OSError as error:
        raise EngineError(f"{folder}: no repository can be written there: {error.strerror}") from error
    return version


def model_name(spec: ModelSpec) -> str:
    """The name under which a server offers the model: letters, digits, _ . and -."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", spec.name)


@dataclass(frozen=True, slots=True)
class Batching:
    """Requests of several clients in one run."""

    preferred_batches: Sequence[int]
    max_delay_us: int

    def to_text(self) -> str:
        """Entries of the configuration."""
        preferred = f"preferred_batch_size: {list(self.preferred_batches)} " if self.preferred_batches else ""
        return f"{preferred}max_queue_delay_microseconds: {self.max_delay_us}"


def gives_visibility(model: Path) -> bool:
    """Whether the model says how likely each landmark can be seen: calibrated .onnx files do, plans do not."""
    if model.suffix.lower() != ".onnx":
        return False
    return "visibility" in {output.name for output in open_session(model, "cpu", 1).get_outputs()}


def config_text(
    backend: Backend, spec: ModelSpec, max_batch: int, batching: Batching | None, *, visibility: bool = False
) -> str:
    """config.pbtxt, a ModelConfig of the server in protobuf's text form; shapes are those of one face."""
    size, landmarks, cells = spec.input_size, spec.num_landmarks, spec.heatmap_size
    outputs = {
        "points": f"dims: [ {landmarks}, 2 ]",
        "covariance": f"dims: [ {landmarks}, 2, 2 ]",
        "score": f"dims: [ {landmarks} ]",
        # the model gives (B,), and a tensor without dims cannot be declared
        "presence": "dims: [ 1 ] reshape { shape: [ ] }",
    }
    plan = backend == "tensorrt"
    if not plan:  # a plan does without
        outputs["heatmaps"] = f"dims: [ {landmarks}, {cells}, {cells} ]"
    if visibility:
        outputs["visibility"] = f"dims: [ {landmarks} ]"
    lines = [f'  {{ name: "{name}" data_type: TYPE_FP32 {dims} }}' for name, dims in outputs.items()]
    # a CPU server runs the ONNX model too; CUDA graphs are the plan's
    return "\n".join(
        [
            f'name: "{model_name(spec)}"',
            PLATFORMS[backend],
            f"max_batch_size: {max_batch}",
            f'input [ {{ name: "crops" data_type: TYPE_UINT8 dims: [ {size}, {size}, 3 ] }} ]',
            "output [\n" + ",\n".join(lines) + "\n]",
            *([f"dynamic_batching {{ {batching.to_text()} }}"] if batching else []),
            f"instance_group [ {{ count: 1 kind: {'KIND_GPU' if plan else 'KIND_AUTO'} }} ]",
            *(["optimization { cuda { graphs: true } }"] if plan else []),
            "version_policy: { latest { num_versions: 1 } }",
            # JSON's escapes are protobuf's too
            f'parameters {{ key: "{SPEC_KEY}" value {{ string_value: {json.dumps(spec.to_json())} }} }}',
            "",
        ]
    )


def _backend_of(model: Path) -> Backend:
    match model.suffix.lower():
        case ".plan":
            return "tensorrt"
        case ".onnx":
            return "onnxruntime"
    raise EngineError(f"{model.name}: no Triton backend for {model.suffix!r}; expected .plan or .onnx")


def _sidecar_spec(model: Path, backend: Backend) -> ModelSpec:
    if not model.is_file():
        raise EngineError(f"{model}: no such model file; expected a .plan or .onnx model")
    sidecar = read_sidecar(model)
    if sidecar is None or not isinstance(sidecar.spec, ModelSpec):
        raise EngineError(f"{model}: no landmark model's specification beside it; expected its .json sidecar")
    if backend == "tensorrt" and sidecar.plan is not None and sidecar.plan.runtime != "tensorrt":
        raise EngineError(f"{model.name}: a server runs no plan of TensorRT for RTX; expected one of TensorRT")
    return sidecar.spec


def _add_version(model: Path, home: Path, backend: Backend) -> Path:
    """Copy the model into the folder of the next version number, which appears when it is complete."""
    versions = [int(entry.name) for entry in home.iterdir() if entry.name.isdecimal()]
    version = home / str(max(versions, default=0) + 1)
    # a server looks at folders with a number for a name only
    with whole_folder(version, 0o755) as partial:
        shutil.copyfile(model, partial / f"model{model.suffix.lower()}")
        if backend == "python":
            shutil.copyfile(PYTHON_MODEL, partial / "model.py")
    return version

"""A landmark model file → a model repository for NVIDIA's Triton Inference Server.

    DIR/compact-300w-slim/config.pbtxt     what the server must know
    DIR/compact-300w-slim/1/model.onnx     or model.plan, which needs the server image's own TensorRT version

The specification travels as a parameter of the configuration, where engines/triton_engine.py reads it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from startrack.engines.base import SPEC_KEY, EngineError, ModelSpec
from startrack.engines.sidecar import read_sidecar
from startrack.whole_file import write_whole

PLATFORMS = {".plan": 'platform: "tensorrt_plan"', ".onnx": 'backend: "onnxruntime"'}
"""Suffix of a model file → the line that names what runs it on the server."""


def write(
    model: Path,
    folder: Path,
    *,
    spec: ModelSpec | None = None,
    max_batch: int = 16,
    preferred_batches: Sequence[int] = (4, 8, 16),
    max_delay_us: int = 1000,
) -> Path:
    """Add a model to a repository, as its next version; returns the folder of that version.

    model: .plan or .onnx, copied; its inputs and outputs are those of engines.graphs.export. spec: by default the one
    of the sidecar beside it. max_batch: faces in one run of the server, no more than the plan's profile allows;
    requests of several clients wait for each other max_delay_us at most. A server that watches the repository never
    sees half of a version. Raises EngineError without a spec, for another suffix, or if the folder cannot be written.
    """
    if model.suffix.lower() not in PLATFORMS:
        raise EngineError(f"{model.name}: no Triton backend for {model.suffix!r}; expected .plan or .onnx")
    if max_batch < 1 or max_delay_us < 0:
        raise EngineError(f"{model.name}: batch {max_batch}, delay {max_delay_us} µs; expected at least 1 and 0")
    spec = spec or _sidecar_spec(model)
    home = folder / model_name(spec)
    preferred = [size for size in preferred_batches if size <= max_batch]
    config = config_text(model.suffix.lower(), spec, max_batch, preferred, max_delay_us)
    try:
        home.mkdir(parents=True, exist_ok=True)
        # first, because a server looks for it as soon as there is a version
        write_whole(home / "config.pbtxt", config)
        version = _add_version(model, home)
    except OSError as error:
        raise EngineError(f"{folder}: no repository can be written there: {error.strerror}") from error
    return version


def model_name(spec: ModelSpec) -> str:
    """The name under which a server offers the model: letters, digits, _ . and -."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", spec.name)


def config_text(suffix: str, spec: ModelSpec, max_batch: int, preferred: Sequence[int], max_delay_us: int) -> str:
    """config.pbtxt, a ModelConfig of the server in protobuf's text form; shapes are those of one face."""
    size, landmarks, cells = spec.input_size, spec.num_landmarks, spec.heatmap_size
    outputs = {
        "points": f"dims: [ {landmarks}, 2 ]",
        "covariance": f"dims: [ {landmarks}, 2, 2 ]",
        "score": f"dims: [ {landmarks} ]",
        # the model gives (B,), and a tensor without dims cannot be declared
        "presence": "dims: [ 1 ] reshape { shape: [ ] }",
    }
    plan = suffix == ".plan"
    if not plan:  # a plan does without
        outputs["heatmaps"] = f"dims: [ {landmarks}, {cells}, {cells} ]"
    lines = [f'  {{ name: "{name}" data_type: TYPE_FP32 {dims} }}' for name, dims in outputs.items()]
    # a CPU server runs the ONNX model too; CUDA graphs are the plan's
    together = f"preferred_batch_size: {list(preferred)} " if preferred else ""
    return "\n".join(
        [
            f'name: "{model_name(spec)}"',
            PLATFORMS[suffix],
            f"max_batch_size: {max_batch}",
            f'input [ {{ name: "crops" data_type: TYPE_UINT8 dims: [ {size}, {size}, 3 ] }} ]',
            "output [\n" + ",\n".join(lines) + "\n]",
            f"dynamic_batching {{ {together}max_queue_delay_microseconds: {max_delay_us} }}",
            f"instance_group [ {{ count: 1 kind: {'KIND_GPU' if plan else 'KIND_AUTO'} }} ]",
            *(["optimization { cuda { graphs: true } }"] if plan else []),
            "version_policy: { latest { num_versions: 1 } }",
            # JSON's escapes are protobuf's too
            f'parameters {{ key: "{SPEC_KEY}" value {{ string_value: {json.dumps(spec.to_json())} }} }}',
            "",
        ]
    )


def _sidecar_spec(model: Path) -> ModelSpec:
    if not model.is_file():
        raise EngineError(f"{model}: no such model file; expected a .plan or .onnx model")
    sidecar = read_sidecar(model)
    if sidecar is None or not isinstance(sidecar.spec, ModelSpec):
        raise EngineError(f"{model}: no landmark model's specification beside it; expected its .json sidecar")
    return sidecar.spec


def _add_version(model: Path, home: Path) -> Path:
    """Copy the model into the folder of the next version number, which appears when it is complete."""
    versions = [int(entry.name) for entry in home.iterdir() if entry.name.isdecimal()]
    version = home / str(max(versions, default=0) + 1)
    # a server looks at folders with a number for a name only
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
    try:
        shutil.copyfile(model, partial / f"model{model.suffix.lower()}")
        partial.chmod(0o755)
        os.replace(partial, version)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return version

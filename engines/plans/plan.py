"""A plan file, opened: checked against its sidecar and this machine, deserialised, its tensors described."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from startrack.engines.base import EngineError, ModelSpec, UnsuitableError
from startrack.engines.cuda.batch import TensorSpec
from startrack.engines.cuda.runtime import Cuda, Gpu
from startrack.engines.plans.facts import INPUT, RUNTIME_NAMES, PlanFacts
from startrack.engines.plans.library import Messages, create, logger_for, make_error_recorder, open_tensorrt
from startrack.engines.sidecar import check_sha256, read_sidecar, sidecar_path

TYPES = {"FLOAT": np.float32, "HALF": np.float16, "UINT8": np.uint8}
"""tensorrt.DataType by name → numpy."""
LARGEST_PLAN = 1 << 30
log = logging.getLogger("startrack.tensorrt")


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """A deserialised plan and what must live as long as it."""

    trt: Any
    """The module of the library."""
    engine: Any
    """tensorrt.ICudaEngine."""
    spec: ModelSpec
    facts: PlanFacts
    item: TensorSpec
    """The input, of one face."""
    outputs: tuple[TensorSpec, ...]
    min_batch: int
    max_batch: int
    messages: Messages
    owners: tuple[Any, ...]
    """Runtime, logger and error recorder."""


def open_plan(path: Path, cuda: Cuda) -> OpenPlan:
    """Load a plan that startrack build-engine wrote, with the library that its sidecar names.

    A plan is code: it is read only from the path given, only if its hash is the sidecar's, and may not bring code for
    the CPU. Raises UnsuitableError if that library is missing or it was built for another GPU or version, EngineError
    if it is damaged.
    """
    sidecar = read_sidecar(path)
    if sidecar is None or sidecar.plan is None or not isinstance(sidecar.spec, ModelSpec):
        raise EngineError(f"{path}: no {sidecar_path(path).name} that describes it; expected a plan of build-engine")
    facts, gpu = sidecar.plan, cuda.gpu()
    trt = open_tensorrt(facts.runtime)
    reason = facts.mismatch(trt.__version__, gpu.compute_capability)
    if reason:
        raise UnsuitableError(f"{path}: {reason}")
    _warn_of_other_gpu(path, facts, gpu)
    if (size := path.stat().st_size) > LARGEST_PLAN:
        raise EngineError(f"{path}: {size} bytes; expected a landmark model's plan of {LARGEST_PLAN} at most")
    # one reading for the hash and for TensorRT: the file may change in between
    content = path.read_bytes()
    check_sha256(path, sidecar, hashlib.sha256(content).hexdigest())
    messages = Messages()
    logger = logger_for(trt, messages)
    runtime = create(trt.Runtime, logger, messages)
    recorder = make_error_recorder(trt, messages)
    runtime.error_recorder = recorder
    runtime.engine_host_code_allowed = False
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        library = f"{RUNTIME_NAMES[facts.runtime]} {trt.__version__}"
        raise UnsuitableError(f"{path}: {library} refuses it: {messages.to_text()}")
    item, outputs = _tensors(path, trt, engine, sidecar.spec)
    low, _, high = engine.get_tensor_profile_shape(INPUT, 0)
    owners = (runtime, logger, recorder)
    return OpenPlan(trt, engine, sidecar.spec, facts, item, outputs, int(low[0]), int(high[0]), messages, owners)


def _warn_of_other_gpu(path: Path, facts: PlanFacts, gpu: Gpu) -> None:
    # TensorRT for RTX chooses its kernels where the plan runs
    is_machine_bound = facts.runtime == "tensorrt" and facts.portable == "no"
    if is_machine_bound and (facts.gpu, facts.multiprocessors) != (gpu.name, gpu.multiprocessors):
        log.warning("%s: built on %s, this is %s: it runs, maybe slowly", path.name, facts.gpu, gpu.name)


def _tensors(path: Path, trt: Any, engine: Any, spec: ModelSpec) -> tuple[TensorSpec, tuple[TensorSpec, ...]]:
    """Input and outputs. Raises EngineError unless they are those of a landmark model of this specification."""
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        shape, kind = tuple(engine.get_tensor_shape(name)), engine.get_tensor_dtype(name).name
        if not shape or shape[0] != -1 or min(shape[1:], default=1) < 1 or kind not in TYPES:
            raise EngineError(f"{path}: tensor {name!r} is {kind} {shape}; expected a free batch of fixed items")
        tensor = TensorSpec(name, shape[1:], np.dtype(TYPES[kind]))
        (inputs if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT else outputs).append(tensor)
    size, landmarks = spec.input_size, spec.num_landmarks
    wanted = TensorSpec(INPUT, (size, size, 3), np.dtype(np.uint8))
    shapes = {"points": (landmarks, 2), "covariance": (landmarks, 2, 2), "score": (landmarks,), "presence": ()}
    found = {tensor.name: tensor.shape for tensor in outputs}
    if inputs != [wanted] or not shapes.items() <= found.items():
        raise EngineError(f"{path}: inputs {inputs} and outputs {found}; expected {wanted} and {shapes}")
    return wanted, tuple(outputs)

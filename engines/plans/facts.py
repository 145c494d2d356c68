"""Source, target and tools of a TensorRT plan: the plan cannot name them itself, its sidecar does."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from startrack.engines.base import EngineError

INPUT = "crops"
"""Name of a landmark model's only input."""
Runtime = Literal["tensorrt", "tensorrt-rtx"]
"""The library that builds and runs a plan; neither runs the other's."""
RUNTIME_NAMES: dict[Runtime, str] = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX"}
Portable = Literal["no", "same-sm", "ampere+"]
"""GPUs that a plan runs on besides the one it was built on: none, those of one compute capability, 8.0 and newer."""
Precision = Literal["half", "float", "quantised"]
"""Of the convolutions."""
NO_GPU = "none"
"""GPU, CUDA and driver of a plan that was built on a machine without them."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Further content of a plan's sidecar, in addition to hash and specification."""

    runtime: Runtime
    tensorrt: str
    """Whole version of the library, e.g. "11.4.0.106": a plan runs with no other."""
    cuda: str
    driver: str
    """Newest CUDA version that the driver of the building machine knew."""
    gpu: str
    """Of the building machine."""
    compute_capabilities: tuple[str, ...]
    """That it was built for, e.g. ("8.6",); TensorRT for RTX builds for several."""
    multiprocessors: int
    """Of that GPU; 0 without one."""
    portable: Portable
    precision: Precision
    min_batch: int
    opt_batch: int
    max_batch: int
    source: str
    """Name of the file that it was built of."""
    source_sha256: str
    created: str
    """ISO 8601, UTC."""
    startrack: str
    """Version that built it."""
    verdict: str
    """Of the measurements after the build: "passed", "not measured" or the missed limit."""

    def __post_init__(self) -> None:
        kinds: dict[str, type] = {"int": int, "tuple[str, ...]": tuple}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            expected = kinds.get(str(field.type), str)
            if type(value) is not expected:
                raise ValueError(f"{field.name} is {value!r}; expected {expected.__name__}")
        choices = {"runtime": Runtime, "portable": Portable, "precision": Precision}
        for name, choice in choices.items():
            if getattr(self, name) not in get_args(choice):
                expected_names = ", ".join(get_args(choice))
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected {expected_names}")
        if not self.compute_capabilities or not all(map(is_capability, self.compute_capabilities)):
            raise ValueError(f'compute_capabilities are {list(self.compute_capabilities)}; expected such as "8.6"')
        if not 1 <= self.min_batch <= self.opt_batch <= self.max_batch:
            raise ValueError(f"batches are {self.min_batch}, {self.opt_batch}, {self.max_batch}")

    @classmethod
    def from_dict(cls, content: dict[str, Any], source: str) -> PlanFacts:
        """Read the values found in `source` (a file's name). Raises EngineError for missing or ill-typed entries."""
        try:
            capabilities = content.get("compute_capabilities")
            listed = tuple(capabilities) if isinstance(capabilities, list) else capabilities
            return cls(**content | {"compute_capabilities": listed})
        except (TypeError, ValueError, AttributeError) as error:
            raise EngineError(f"{source}: not what is kept of a TensorRT plan: {error}") from error

    def mismatch(self, tensorrt: str, compute_capability: str) -> str | None:
        """Why the plan cannot run with this version of its library on this GPU; None if it can."""
        if self.portable == "ampere+":
            runs = capability_number(compute_capability) >= (8, 0)
        else:
            runs = compute_capability in self.compute_capabilities
        if runs and tensorrt == self.tensorrt:
            return None
        library = RUNTIME_NAMES[self.runtime]
        here = f"{_sm(compute_capability)} and {library} {tensorrt}"
        built = "sm_80 and newer" if self.portable == "ampere+" else ", ".join(map(_sm, self.compute_capabilities))
        return f"built for {built} and {library} {self.tensorrt}, this is {here}: run startrack build-engine here"


def is_capability(text: object) -> bool:
    """Whether it is a compute capability as NVIDIA writes it, such as "8.6"."""
    return isinstance(text, str) and re.fullmatch(r"\d{1,2}\.\d", text) is not None


def capability_number(version: str) -> tuple[int, ...]:
    """ "8.6" → (8, 6)."""
    return tuple(int(part) for part in version.split("."))


def _sm(capability: str) -> str:
    return f"sm_{capability.replace('.', '')}"

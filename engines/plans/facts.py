"""What a TensorRT plan was built of, for and with: a plan cannot say so itself, its sidecar does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from startrack.engines.base import EngineError

INPUT = "crops"
"""Name of a landmark model's only input."""
Portable = Literal["no", "same-sm", "ampere+"]
"""GPUs that a plan runs on besides the one it was built on: none, those of one compute capability, 8.0 and newer."""
Precision = Literal["half", "float", "quantised"]
"""Of the convolutions."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Beside sha256 and specification in a plan's sidecar."""

    tensorrt: str
    """Whole version, e.g. "11.4.0.106": a plan runs with no other."""
    cuda: str
    driver: str
    """Newest CUDA version that the driver knew."""
    gpu: str
    compute_capability: str
    """ "8.6"."""
    multiprocessors: int
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
    """Of the measurements after the build: "passed", "not measured" or what was missed."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            expected = int if field.type == "int" else str
            if type(value) is not expected:
                raise ValueError(f"{field.name} is {value!r}; expected {expected.__name__}")
        if self.portable not in get_args(Portable) or self.precision not in get_args(Precision):
            raise ValueError(f"portable is {self.portable!r} and precision {self.precision!r}")
        if not 1 <= self.min_batch <= self.opt_batch <= self.max_batch:
            raise ValueError(f"batches are {self.min_batch}, {self.opt_batch}, {self.max_batch}")

    @classmethod
    def from_dict(cls, content: dict[str, Any], source: str) -> PlanFacts:
        """Read what was found in `source` (a file's name). Raises EngineError for missing or ill-typed entries."""
        try:
            return cls(**content)
        except (TypeError, ValueError) as error:
            raise EngineError(f"{source}: not what is kept of a TensorRT plan: {error}") from error

    def mismatch(self, tensorrt: str, compute_capability: str) -> str | None:
        """Why the plan cannot run with this TensorRT on this GPU; None if it can."""
        if self.portable == "ampere+":
            runs = _number(compute_capability) >= (8, 0)
        else:
            runs = compute_capability == self.compute_capability
        if runs and tensorrt == self.tensorrt:
            return None
        here = f"sm_{compute_capability.replace('.', '')} and TensorRT {tensorrt}"
        built = "sm_80 and newer" if self.portable == "ampere+" else f"sm_{self.compute_capability.replace('.', '')}"
        return f"built for {built} and TensorRT {self.tensorrt}, this is {here}: run startrack build-engine here"


def _number(version: str) -> tuple[int, ...]:
    """ "8.6" → (8, 6)."""
    return tuple(int(part) for part in version.split("."))

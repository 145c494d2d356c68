"""The GPUs that TensorRT for RTX builds a plan for, also where none of them is: compute capabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from startrack.engines.base import EngineError, UnsuitableError
from startrack.engines.plans.facts import capability_number, is_capability


def known_capabilities(rtx: Any) -> tuple[str, ...]:
    """Those that this version builds for, ascending: ("7.5", "8.0", …). rtx: the module of open_tensorrt."""
    names = [name.removeprefix("SM") for name in rtx.ComputeCapability.__members__ if name.startswith("SM")]
    return tuple(sorted((f"{name[:-1]}.{name[-1]}" for name in names), key=capability_number))


def choose_capabilities(rtx: Any, given: Sequence[str], here: str | None) -> tuple[str, ...]:
    """What to build for: the given ones, or this machine's GPU, or those of NVIDIA's own choice from 8.6 on.

    here: compute capability of this machine's GPU, None without one. Raises EngineError for one that is none,
    UnsuitableError for one that this version does not build for.
    """
    known = known_capabilities(rtx)
    malformed = [entry for entry in given if not is_capability(entry)]
    if malformed:
        raise EngineError(f"compute capability {malformed[0]!r}; expected such as 8.6")
    chosen = tuple(dict.fromkeys(given)) or ((here,) if here else tuple(entry for entry in known if _is_rtx(entry)))
    unknown = [entry for entry in chosen if entry not in known]
    if unknown:
        raise UnsuitableError(
            f"TensorRT for RTX {rtx.__version__} builds nothing for compute capability {unknown[0]}; expected "
            f"{', '.join(known)}"
        )
    return chosen


def set_capabilities(rtx: Any, config: Any, capabilities: Sequence[str]) -> None:
    """Ask an IBuilderConfig for them. Raises EngineError if it refuses one."""
    config.num_compute_capabilities = len(capabilities)
    for index, entry in enumerate(capabilities):
        kind = getattr(rtx.ComputeCapability, f"SM{entry.replace('.', '')}")
        if not config.set_compute_capability(kind, index):
            raise EngineError(f"TensorRT for RTX refuses compute capability {entry}")


def _is_rtx(capability: str) -> bool:
    """RTX 30xx and newer, the default of the library."""
    return capability_number(capability) >= (8, 6)

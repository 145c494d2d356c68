"""All that is known of a new plan, as JSON for machines and as a few lines for a person."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from startrack.engines.cuda.runtime import Gpu
from startrack.engines.plans.build import BuiltPlan
from startrack.engines.plans.facts import PlanFacts
from startrack.engines.plans.gate import Accuracy, Latency, Limits, missed
from startrack.engines.plans.graph import PlanGraph
from startrack.engines.plans.layers import LayerReport

SHOWN = 4
NEEDS_GPU = ("inspector", "latency", "memory on the GPU", "landmarks against the float32 model")
"""Parts of the report that a build without a GPU leaves out."""


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class PlanReport:
    """Of one build."""

    graph: PlanGraph
    facts: PlanFacts
    """Their verdict is that of this report."""
    built: BuiltPlan
    layers: LayerReport
    gpu: Gpu | None = None
    """None for a plan that was built without one."""
    device_memory_bytes: int | None = None
    """Scratch memory on the GPU; None if nothing ran."""
    latency: tuple[Latency, ...] = ()
    accuracy: tuple[Accuracy, ...] = ()
    """Empty if it was not measured."""
    reference: str = ""
    """Name of the float32 model's file; empty if there is no accuracy."""
    limits: Limits = LIMITS
    not_run: str = ""
    """Why the plan was not run here; empty if it was."""

    @property
    def problems(self) -> list[str]:
        """Why the plan is not fit for use."""
        wrong = self.layers.missed(self.graph.precision)
        return ([wrong] if wrong else []) + missed(self.accuracy, self.limits)

    @property
    def verdict(self) -> str:
        """For the report and the sidecar."""
        if self.problems:
            return "missed: " + "; ".join(self.problems)
        if self.not_run:
            return "layers as asked for; not run: " + self.not_run
        return "passed" if self.accuracy else "accuracy not measured; layers as asked for"

    def to_json(self) -> str:
        """Indented; figures that are no numbers are null."""
        content = {
            "verdict": self.verdict,
            "environment": asdict(self.gpu) if self.gpu else None,
            "plan": asdict(self.facts)
            | {"bytes": len(self.built.plan), "device_memory_bytes": self.device_memory_bytes},
            "graph": {
                "source": self.graph.source,
                "nodes": self.graph.nodes,
                "parameters": self.graph.parameters,
                "opset": self.graph.opset,
                "convolutions": len(self.graph.convolutions),
                "float32_islands": self.graph.islands,
            },
            "build": {"seconds": self.built.seconds, "timing_cache_used": self.built.timings_kept},
            "not_run": {"parts": list(NEEDS_GPU), "reason": self.not_run} if self.not_run else None,
            "layers": asdict(self.layers),
            "latency": [asdict(entry) for entry in self.latency],
            "accuracy": {
                "reference": self.reference,
                "limits": asdict(self.limits),
                "batches": [asdict(entry) for entry in self.accuracy],
            }
            if self.accuracy
            else None,
        }
        return json.dumps(_plain(content), indent=2, allow_nan=False)

    def to_text(self) -> str:
        """A few lines."""
        convolutions = ", ".join(f"{count} {kind}" for kind, count in sorted(self.layers.convolutions.items()))
        floats = self.layers.float_layers
        shown = ", ".join(floats[:SHOWN]) + (" …" if len(floats) > SHOWN else "")
        kept = " with kept timings" if self.built.timings_kept else ""
        lines = [
            f"built in {self.built.seconds:.0f} s{kept}: {len(self.built.plan) / 1e6:.1f} MB, {self._target()}",
            f"convolutions: {convolutions or 'none seen'}; {len(floats)} layers in float32: {shown}",
        ]
        if self.not_run:
            lines.append(f"not run here: {', '.join(NEEDS_GPU)}: {self.not_run}")
        for entry in self.latency:
            how = "CUDA graph" if entry.graph else "no graph"
            p50, p90, p99 = entry.wall_ms
            whole = f"p50 {p50:.2f} p90 {p90:.2f} p99 {p99:.2f} ms"
            lines.append(f"batch {entry.batch}, {how}: {whole}, of it on the GPU {entry.gpu_ms[0]:.2f} ms")
        for face in self.accuracy:
            lines.append(
                f"batch {face.batch}, {face.faces} faces: {face.mean_px:.3f} px mean, {face.p99_px:.3f} p99, "
                f"{face.max_px:.3f} max from {self.reference}; NME {face.nme:.3f} % against {face.reference_nme:.3f} %"
            )
        return "\n".join([*lines, self.verdict])

    def _target(self) -> str:
        """GPUs that the plan is for, and the memory that it took there."""
        if self.gpu is None or self.device_memory_bytes is None:
            return f"for compute capability {', '.join(self.facts.compute_capabilities)}"
        return f"{self.device_memory_bytes / 1e6:.1f} MB of scratch on {self.gpu.name}"


def _plain(value: Any) -> Any:
    """Floats to 4 decimals, NaN as null."""
    match value:
        case float():
            return round(value, 4) if math.isfinite(value) else None
        case dict():
            return {key: _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case _:
            return value

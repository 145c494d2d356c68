"""All that is known of a new plan, as JSON for machines and as a few lines for a person."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from startrack.engines.cuda.runtime import Gpu
from startrack.engines.plans.facts import PlanFacts
from startrack.engines.plans.gate import Accuracy, Latency, Limits, missed
from startrack.engines.plans.graph import PlanGraph
from startrack.engines.plans.layers import LayerReport

SHOWN = 4


@dataclass(frozen=True, slots=True)
class PlanReport:
    """Of one build."""

    gpu: Gpu
    graph: PlanGraph
    facts: PlanFacts
    """Their verdict is that of this report."""
    build_s: float
    timings_kept: bool
    plan_bytes: int
    device_memory_bytes: int
    layers: LayerReport
    latency: tuple[Latency, ...]
    accuracy: tuple[Accuracy, ...]
    """Empty if it was not measured."""
    reference: str
    """Name of the float32 model's file; empty if there is no accuracy."""
    limits: Limits

    @property
    def problems(self) -> list[str]:
        """Why the plan is not fit for use."""
        wrong = self.layers.missed(self.graph.precision)
        return ([wrong] if wrong else []) + missed(self.accuracy, self.limits)

    def to_json(self) -> str:
        """Indented; figures that are no numbers are null."""
        content = {
            "verdict": verdict(self.problems, measured=bool(self.accuracy)),
            "environment": asdict(self.gpu),
            "plan": asdict(self.facts) | {"bytes": self.plan_bytes, "device_memory_bytes": self.device_memory_bytes},
            "graph": {
                "source": self.graph.source,
                "nodes": self.graph.nodes,
                "parameters": self.graph.parameters,
                "opset": self.graph.opset,
                "convolutions": len(self.graph.convolutions),
                "float32_islands": self.graph.islands,
            },
            "build": {"seconds": self.build_s, "timing_cache_used": self.timings_kept},
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
        kept = " with kept timings" if self.timings_kept else ""
        size_mb, scratch_mb = self.plan_bytes / 1e6, self.device_memory_bytes / 1e6
        lines = [
            f"built in {self.build_s:.0f} s{kept}: {size_mb:.1f} MB, {scratch_mb:.1f} MB of scratch on {self.gpu.name}",
            f"convolutions: {convolutions or 'none seen'}; {len(floats)} layers in float32: {shown}",
        ]
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
        return "\n".join([*lines, verdict(self.problems, measured=bool(self.accuracy))])


def verdict(problems: list[str], *, measured: bool) -> str:
    """For the report and the sidecar. measured: whether the accuracy was."""
    if problems:
        return "missed: " + "; ".join(problems)
    return "passed" if measured else "accuracy not measured; layers as asked for"


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

"""In which precision a plan's layers really run, and whether that matches the request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from startrack.engines.plans.facts import Precision
from startrack.engines.plans.layer_table import OTHER, Layer, read_build_log, read_inspector

WIDEST_FIRST = ("Float", "BFloat16", "Half", "FP8", "Int8")
ALLOWED: dict[Precision, set[str]] = {"half": {"Half"}, "float": {"Float"}, "quantised": {"Int8", "FP8", "Half"}}
"""What convolutions may run in."""
COPIES = ("reformat", "copy", "noop", "constant")
"""Layer types that compute nothing."""
CONVOLUTIONS = ("conv", "correlation")
"""Parts of the types of convolutions; a product (gemm, matrixmultiply, kgen …) is one if it holds a convolution's
node and a kernel."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Layers by precision."""

    source: str
    """Where the layers were read: "inspector" or "build log"."""
    layers: dict[str, int]
    """Precision → how many of all layers."""
    convolutions: dict[str, int]
    """Precision → how many of the layers that hold a convolution."""
    float_layers: tuple[str, ...]
    """Names of the layers that run in float32."""
    wrong: tuple[str, ...]
    """Names of the convolutions that run in a precision that was not asked for."""
    unseen: tuple[str, ...]
    """Names of the graph's convolutions that are in none of the layers."""
    narrowed: tuple[str, ...]
    """Names of the layers that hold what must stay float32, and neither read nor write it."""

    def missed(self, precision: Precision) -> str | None:
        """Why the layers do not match the request, or None."""
        if not self.convolutions:
            return f"the {self.source} shows no convolution, so that their precision is unknown"
        total = sum(self.convolutions.values())
        allowed = " or ".join(sorted(ALLOWED[precision]))
        problems = [
            (self.wrong, f"of {total} convolutions do not run in {allowed}"),
            (self.unseen, f"convolutions are in no layer of the {self.source}, so that their precision is unknown"),
            (self.narrowed, "layers that must stay float32 do not"),
        ]
        texts = [f"{len(names)} {text}: {', '.join(names[:SHOWN])}" for names, text in problems if names]
        return "; ".join(texts) or None


@dataclass(frozen=True, slots=True)
class Requested:
    """Criteria that a plan's layers are judged by."""

    precision: Precision
    convolutions: tuple[str, ...]
    """Names of the graph's nodes, by which a fused layer is known."""
    float_nodes: tuple[str, ...] = ()
    """Names of the nodes that must stay float32: norms and reductions."""


def judge_inspector(information: str, requested: Requested) -> LayerReport:
    """Judge the JSON of an EngineInspector. Raises EngineError if it shows no layers."""
    return _judge("inspector", read_inspector(information), requested)


def judge_build_log(table: str, requested: Requested) -> LayerReport:
    """Judge the table of a verbose build log. Raises EngineError if it shows no layers."""
    return _judge("build log", read_build_log(table), requested)


def _judge(source: str, layers: Sequence[Layer], requested: Requested) -> LayerReport:
    nodes, floats = set(requested.convolutions), set(requested.float_nodes)
    every, convolutions, float_layers = Counter[str](), Counter[str](), list[str]()
    wrong, narrowed, seen = list[str](), list[str](), set[str]()
    for layer in layers:
        precision = _precision(layer)
        every[precision] += 1
        if precision == "Float":
            float_layers.append(layer.name)
        if _is_convolution(layer, nodes):
            seen |= nodes.intersection(_nodes(layer, nodes))
            convolutions[precision] += 1
            if precision not in ALLOWED[requested.precision]:
                wrong.append(layer.name)
        elif floats.intersection(layer.nodes) and _is_narrow(layer):
            narrowed.append(layer.name)
    unseen = [name for name in requested.convolutions if name not in seen] if convolutions else []
    return LayerReport(
        source=source,
        layers=dict(every),
        convolutions=dict(convolutions),
        float_layers=tuple(float_layers),
        wrong=tuple(wrong),
        unseen=tuple(unseen),
        narrowed=tuple(narrowed),
    )


def _is_convolution(layer: Layer, nodes: set[str]) -> bool:
    if any(word in layer.kind for word in COPIES):
        return False
    if any(word in layer.kind for word in CONVOLUTIONS):
        return True
    return layer.kernel is not None and not nodes.isdisjoint(layer.nodes)


def _nodes(layer: Layer, nodes: Iterable[str]) -> set[str]:
    """Those of the nodes that are in a layer; without metadata, its name is their names, joined: conv_1 + relu_1."""
    if layer.nodes:
        return set(layer.nodes)
    words = set(layer.name.replace("(", " ").replace(")", " ").replace(",", " ").split())
    return words.intersection(nodes)


def _is_narrow(layer: Layer) -> bool:
    """Whether all of its floats are narrower than float32."""
    kinds = {kind for kind in (*layer.inputs, *layer.outputs) if kind in WIDEST_FIRST}
    return bool(kinds) and "Float" not in kinds


def _precision(layer: Layer) -> str:
    """Of the kernel where the layer has one, else the widest type that it reads, else that it writes: a convolution of
    float32 with a cast behind it must not pass for half."""
    if layer.kernel is not None and layer.kernel != OTHER:
        return layer.kernel
    for kinds in (layer.inputs, layer.outputs):
        if widest := next((kind for kind in WIDEST_FIRST if kind in kinds), None):
            return widest
    return OTHER

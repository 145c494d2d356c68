"""In which precision a plan's layers really run, from what TensorRT's inspector tells of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from startrack.engines.base import EngineError
from startrack.engines.plans.facts import Precision

KINDS = (
    ("Half", re.compile(r"\b(half|fp16)\b", re.IGNORECASE)),
    ("BFloat16", re.compile(r"\b(bf16|bfloat16)\b", re.IGNORECASE)),
    ("FP8", re.compile(r"\b(fp8|e4m3\w*)\b", re.IGNORECASE)),
    ("Int8", re.compile(r"\bint8\b", re.IGNORECASE)),
    ("Float", re.compile(r"\b(float|fp32)\b", re.IGNORECASE)),
)
"""Words of the inspector, short ("Half") or long ("Row major linear FP16 format"), → ours."""
WIDEST_FIRST = ("Float", "BFloat16", "Half", "FP8", "Int8")
OTHER = "other"
"""Integers, masks and what the inspector does not name."""
ALLOWED: dict[Precision, set[str]] = {"half": {"Half"}, "float": {"Float"}, "quantised": {"Int8", "FP8", "Half"}}
"""What convolutions may run in."""
COPIES = ("reformat", "copy", "noop", "constant")
"""Layer types that compute nothing."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Layers by precision."""

    layers: dict[str, int]
    """Precision → how many of all layers."""
    convolutions: dict[str, int]
    """Precision → how many of the layers that hold a convolution."""
    float_layers: tuple[str, ...]
    """Names of the layers that run in float32."""
    wrong: tuple[str, ...]
    """Names of the convolutions that run in a precision that was not asked for."""

    def missed(self, precision: Precision) -> str | None:
        """Why the convolutions are not what was asked for, or None."""
        if not self.convolutions:
            return "the inspector shows no convolution, so that their precision is unknown"
        if not self.wrong:
            return None
        total, names = sum(self.convolutions.values()), ", ".join(self.wrong[:SHOWN])
        asked = " or ".join(sorted(ALLOWED[precision]))
        return f"{len(self.wrong)} of {total} convolutions do not run in {asked}: {names}"


def read_layers(information: str, convolutions: Iterable[str], precision: Precision) -> LayerReport:
    """Read the inspector's JSON.

    convolutions: names of the graph's nodes, by which a fused layer is known. Raises EngineError if it is not what a
    plan built with detailed verbosity gives.
    """
    try:
        # names in the metadata are parted by raw control characters
        layers = json.loads(information, strict=False)["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"TensorRT's inspector gives no layers: {error!r}") from error
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise EngineError("TensorRT's inspector gives names alone; expected a plan built with detailed verbosity")
    names = set(convolutions)
    every, convs, floats, wrong = Counter[str](), Counter[str](), list[str](), list[str]()
    for layer in layers:
        kind, name = _precision(layer), str(layer.get("Name", ""))
        every[kind] += 1
        if kind == "Float":
            floats.append(name)
        if _is_convolution(layer, names):
            convs[kind] += 1
            if kind not in ALLOWED[precision]:
                wrong.append(name)
    return LayerReport(dict(every), dict(convs), tuple(floats), tuple(wrong))


def _is_convolution(layer: dict[str, Any], names: set[str]) -> bool:
    kind = str(layer.get("LayerType", "")).lower()
    if any(word in kind for word in COPIES):
        return False
    if "conv" in kind or layer.get("ParameterType") in ("Convolution", "Deconvolution"):
        return True
    # layers of the newer compiler are called gemm, correlation, kgen …, and name the ONNX nodes in their metadata
    nodes = re.findall(r"\[ONNX Layer: ([^\]]*)\]", str(layer.get("Metadata", "")))
    return "Weights" in layer and any(node in names for node in nodes)


def _precision(layer: dict[str, Any]) -> str:
    """Of the kernel where the layer has one, else the widest type that it reads, else that it writes: a convolution of
    float32 with a cast behind it must not pass for half."""
    weights = layer.get("Weights")
    if isinstance(weights, dict) and (kind := _kind(str(weights.get("Type", "")))) != OTHER:
        return kind
    for tensors in (layer.get("Inputs"), layer.get("Outputs")):
        kinds = {_kind(str(tensor.get("Format/Datatype", ""))) for tensor in _dicts(tensors)}
        if widest := next((kind for kind in WIDEST_FIRST if kind in kinds), None):
            return widest
    return OTHER


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _kind(text: str) -> str:
    return next((kind for kind, pattern in KINDS if pattern.search(text)), OTHER)

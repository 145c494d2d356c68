"""TensorRT's table of a plan's layers, from its inspector (JSON) or its build log (a line a layer) → one form.

Two spellings are known. TensorRT 10 writes a tensor's type and format together ("Format/Datatype: Channel major FP16
format …") and a convolution's kernel as "Weights". TensorRT for RTX, whose compiler is that of TensorRT 11, writes
"Datatype: Half, Format: …" and lists kernels among the "Constants", with the numbers that scale a result.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from startrack.engines.base import EngineError

KINDS = (
    ("Half", re.compile(r"\b(half|fp16|float16)\b", re.IGNORECASE)),
    ("BFloat16", re.compile(r"\b(bf16|bfloat16)\b", re.IGNORECASE)),
    ("FP8", re.compile(r"\b(fp8|e4m3\w*)\b", re.IGNORECASE)),
    ("Int8", re.compile(r"\bint8\b", re.IGNORECASE)),
    ("Float", re.compile(r"\b(float|fp32|float32)\b", re.IGNORECASE)),
)
"""Words of TensorRT, short ("Half") or long ("Row major linear FP16 format"), → ours."""
OTHER = "other"
"""Integers, masks and what TensorRT does not name."""
LINE = re.compile(r"^Name: (?P<name>.*?), LayerType: (?P<kind>[^,]*), (?P<rest>.*)$")
SECTION = re.compile(r"(?:^|, )(Inputs|Constants|Outputs): \[")
"""Where a list of tensors begins."""
DETAILED = "expected a plan built with detailed verbosity"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a plan, which may hold several nodes of the ONNX graph."""

    name: str
    kind: str
    """TensorRT's word in small letters: caskconvolution, correlation, gemm, kgen …"""
    nodes: tuple[str, ...]
    """Names of the ONNX nodes in it, as far as TensorRT names them."""
    kernel: str | None
    """Precision of its kernel; None if it has none."""
    inputs: tuple[str, ...]
    """Precision of each; "other" for integers and masks."""
    outputs: tuple[str, ...]


def read_inspector(information: str) -> list[Layer]:
    """Layers of an EngineInspector's JSON.

    Raises EngineError unless the plan was built with detailed verbosity.
    """
    try:
        # names in the metadata are separated by raw control characters
        layers = json.loads(information, strict=False)["Layers"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EngineError(f"TensorRT's inspector gives no layers: {error!r}; {DETAILED}") from error
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise EngineError(f"TensorRT's inspector gives names alone; {DETAILED}")
    return [_layer(entry) for entry in layers]


def read_build_log(table: str) -> list[Layer]:
    """Layers of the table at the end of a verbose build log. Raises EngineError if there is none."""
    # not splitlines, for which the control characters between the nodes of a layer end a line
    matches = [LINE.match(line.strip(" \r")) for line in table.split("\n")]
    layers = [_layer(_entry(match)) for match in matches if match]
    if not layers:
        raise EngineError(f"TensorRT's build log has no table of layers; {DETAILED}")
    return layers


def precision_of(text: str) -> str:
    """One of KINDS, or OTHER."""
    return next((kind for kind, pattern in KINDS if pattern.search(text)), OTHER)


def _entry(match: re.Match[str]) -> dict[str, Any]:
    """A line as the inspector's JSON would have it."""
    rest = match["rest"]
    starts = list(SECTION.finditer(rest))
    ends = [start.start() for start in starts[1:]] + [len(rest)]
    entry: dict[str, Any] = {"Name": match["name"], "LayerType": match["kind"]}
    for start, end in zip(starts, ends, strict=True):
        entry[start[1]] = _tensors(rest[start.end() : end])
    tail = rest[starts[-1].end() :] if starts else rest
    if parameter := re.search(r", ParameterType: (\w+)", tail):
        entry["ParameterType"] = parameter[1]
    if weights := re.search(r', Weights: \{"Type": "(\w+)"', tail):
        entry["Weights"] = {"Type": weights[1]}
    if metadata := re.search(r", Metadata: (.*)$", tail):
        entry["Metadata"] = metadata[1]
    return entry


def _tensors(text: str) -> list[dict[str, Any]]:
    """ "{ Name: a, Dimensions: [1,2], Datatype: Half, Format: … }, { Name: …"; what follows the list is passed over."""
    tensors = []
    for part in re.findall(r"\{ Name: (.*?) ?\}(?=, \{ Name: |\])", text):
        dimensions = re.search(r", Dimensions: \[([-\d,]*)\]", part)
        kind = re.search(r", (?:Format/Datatype|Datatype): ([^,]*)", part)
        sides = [int(side) for side in dimensions[1].split(",") if side] if dimensions else []
        tensors.append({"Dimensions": sides, "Datatype": kind[1] if kind else ""})
    return tensors


def _layer(entry: dict[str, Any]) -> Layer:
    return Layer(
        name=str(entry.get("Name", "")),
        kind=str(entry.get("LayerType", "")).lower(),
        nodes=tuple(re.findall(r"\[ONNX Layer: ([^\]]*)\]", str(entry.get("Metadata", "")))),
        kernel=_kernel(entry),
        inputs=tuple(map(_tensor_precision, _dicts(entry.get("Inputs")))),
        outputs=tuple(map(_tensor_precision, _dicts(entry.get("Outputs")))),
    )


def _kernel(entry: dict[str, Any]) -> str | None:
    """Of the weights, or of the largest constant that is no mere list of numbers: one for a whole channel, an offset
    or a factor, has a single side above 1."""
    weights = entry.get("Weights")
    if isinstance(weights, dict):
        return precision_of(str(weights.get("Type", "")))
    kernels = []
    for constant in _dicts(entry.get("Constants")):
        sides = [side for side in _sides(constant) if side > 1]
        if len(sides) > 1:
            kernels.append((math.prod(sides), _tensor_precision(constant)))
    return max(kernels, key=lambda kernel: kernel[0])[1] if kernels else None


def _sides(tensor: dict[str, Any]) -> list[int]:
    sides = tensor.get("Dimensions")
    return [side for side in sides if isinstance(side, int)] if isinstance(sides, list) else []


def _tensor_precision(tensor: dict[str, Any]) -> str:
    text = tensor.get("Format/Datatype") or tensor.get("Datatype") or tensor.get("Format") or ""
    return precision_of(str(text))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

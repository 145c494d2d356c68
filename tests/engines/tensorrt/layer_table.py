"""The layers of a plan of the double, in each library's own spelling: the inspector's JSON and the build log."""

from __future__ import annotations

import json
from typing import Any

import onnx


class LayerTable:
    """The layers of a graph. rtx: as TensorRT for RTX names them."""

    def __init__(self, *, rtx: bool) -> None:
        self._rtx = rtx

    def of(self, graph: Any, *, known: bool, ignores_half: bool = False) -> list[dict[str, Any]]:
        """Convolutions and a softmax, in the library's own spelling. known: whether the
        tensors' types are. ignores_half: all run in float32."""
        kernels = {entry.name: entry for entry in graph.initializer}
        layers = []
        for node in (node for node in graph.node if node.op_type == "Conv"):
            kernel = kernels[node.input[1]]
            half = kernel.data_type == onnx.TensorProto.FLOAT16 and not ignores_half
            layers.append(self._convolution(node.name, "Half" if half else "Float", list(kernel.dims)))
        softmax: dict[str, Any] = {"Name": "softmax", "LayerType": "kgen" if self._rtx else "SoftMax", "Inputs": []}
        softmax["Outputs"] = [self._tensor("Float" if known else "N/A due to dynamic shapes")]
        return [*layers, softmax | {"Metadata": "[ONNX Layer: node_softmax]"}]

    def _convolution(self, name: str, precision: str, dimensions: list[int]) -> dict[str, Any]:
        layer: dict[str, Any] = {
            "Name": f"{name} + relu",
            "LayerType": "correlation" if self._rtx else "CaskConvolution",
        }
        layer["Inputs"] = [self._tensor(precision)]
        if self._rtx:
            factor = {"Name": "factor", "Dimensions": [1], "Datatype": "Float", "Format": "(Linear) Row major linear"}
            layer["Constants"] = [{"Name": "kernel", "Dimensions": dimensions, "Datatype": precision}, factor]
        layer["Outputs"] = [self._tensor(precision)]
        if not self._rtx:
            layer |= {"ParameterType": "Convolution", "Weights": {"Type": precision, "Count": 1}}
        return layer | {"Metadata": f"[ONNX Layer: {name}]"}

    def _tensor(self, precision: str) -> dict[str, Any]:
        tensor: dict[str, Any] = {"Name": "map", "Dimensions": [-1, 8, 16, 16]}
        if self._rtx:
            return tensor | {"Datatype": precision, "Format": "(NHWC) Channel major format"}
        words = {"Half": "Channel major FP16 format where channel % 8 == 0", "Float": "Row major linear FP32"}
        return tensor | {"Format/Datatype": words.get(precision, precision)}


def line(layer: dict[str, Any]) -> str:
    """A layer as the build log prints it."""
    return ", ".join(f"{key}: {_in_line(value)}" for key, value in layer.items())


def _in_line(value: Any) -> str:
    """A value in the build log's spelling: tensors without quotes, other records as JSON."""
    match value:
        case list() if value and isinstance(value[0], dict):
            tensors = (", ".join(f"{key}: {_in_line(entry)}" for key, entry in tensor.items()) for tensor in value)
            return f"[ {', '.join(f'{{ {tensor} }}' for tensor in tensors)}]"
        case list():
            return f"[{','.join(map(str, value))}]"
        case dict():
            return json.dumps(value)
        case _:
            return str(value)

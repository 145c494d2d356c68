"""A float32 ONNX model → the same in 8-bit integers: a smaller file, and quicker where the CPU has VNNI.

After training, without any more of it: each convolution's kernels get a scale per output channel, each feature map one
for the range that it took over some crops (Jacob et al., CVPR 2018). Convolutions, the sums and the resizing between
them are quantised; the heads, which must tell a peak's place to a hundredth of a cell, and all decoding stay float32.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from engines.base import SPEC_KEY, EngineError, parse_spec
from engines.onnx_file import write_model
from engines.sidecar import Sidecar

QUANTISED = ("Conv", "Add", "Resize", "Concat")


def quantise(model_path: Path, inputs: Sequence[NDArray[np.uint8]], out: Path, *, reduce_range: bool = True) -> Sidecar:
    """Write `out` and its sidecar; returns the sidecar.

    model_path: a model of engines.export. inputs: batches of what it takes, like those that it will see; they set the
    ranges. reduce_range: 7-bit kernels, without which CPUs that lack VNNI overflow their 16-bit sums.
    Raises EngineError if the file is no such model or holds no convolution to quantise.
    """
    try:
        model = onnx.load(model_path)
    except Exception as error:  # protobuf's DecodeError, OSError
        raise EngineError(f"{model_path}: not an ONNX model: {error}") from error
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in metadata:
        raise EngineError(f"{model_path}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    spec = parse_spec(metadata[SPEC_KEY], str(model_path))
    _widen_kernels(model)
    nodes = _before_the_heads(model)
    if not nodes:
        raise EngineError(f"{model_path}: no convolution before another one; expected a network to quantise")
    with tempfile.TemporaryDirectory() as folder:
        wide, narrow = Path(folder) / "wide.onnx", Path(folder) / "narrow.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), wide)
        quantize_static(
            wide,
            narrow,
            _Batches(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=reduce_range,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_quantize=nodes,
            op_types_to_quantize=list(QUANTISED),
        )
        quantised = onnx.load(narrow)
    return write_model(quantised, spec, out)


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """The inputs one after the other, as ONNX Runtime's calibrator takes them."""

    def __init__(self, name: str, inputs: Sequence[NDArray[np.uint8]]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.uint8]]] = iter([{name: batch} for batch in inputs])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _widen_kernels(model: onnx.ModelProto) -> None:
    """Undo what engines.export does to make files small: kernels stored as float16 become float32."""
    stored = {initializer.name: initializer for initializer in model.graph.initializer}
    rest = []
    for node in model.graph.node:
        half = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if half is None or half.data_type != TensorProto.FLOAT16:
            rest.append(node)
            continue
        half.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(half).astype(np.float32), node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(rest)


def _before_the_heads(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes to quantise: those that lead to a convolution, but for heads.

    A head is a convolution from which the outputs are reached without another one, or whose result is mapped back by
    the next stack: of the same number of channels as such a one.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    kernels = {initializer.name: initializer.dims for initializer in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    leading = {name for node in convolutions for name in _ancestors(node, makers)}
    last = {int(kernels[node.input[1]][0]) for node in convolutions if node.name not in leading}
    heads = {node.name for node in convolutions if int(kernels[node.input[1]][0]) in last}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in QUANTISED and node.name not in heads and (node.name in leading or node.op_type == "Conv")
    ]


def _ancestors(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> set[str]:
    """Names of all nodes whose results go into `node`."""
    found: set[str] = set()
    waiting = list(node.input)
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name not in found:
            found.add(maker.name)
            waiting += maker.input
    return found

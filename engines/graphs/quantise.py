"""A float32 ONNX model → the same in 8-bit integers: a smaller file, and quicker where the CPU has VNNI.

After training, without any more of it: each convolution's kernels get a scale per output channel, each feature map one
for the range that it took over some crops (Jacob et al., CVPR 2018). Only the convolutions that do most of the work are
quantised. Sums, resizing and the 1×1 convolutions that lead into them stay float32: rounded there, a map would carry
its steps past every later convolution, and the landmarks would answer to a grey level of noise in steps too. So do the
heads, which must locate a peak to a hundredth of a cell, and all decoding. What stays float32 is then written as
is quickest among 8-bit convolutions (engines/graphs/channels_last.py, engines/graphs/decode.py). A face detector's
boxes are only near and nothing is taken from one frame to the next: all before its heads is quantised, and its large
picture is read four pixels at a time (engines/graphs/wide_first.py).
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from startrack.engines.base import SPEC_KEY, AnySpec, DetectorSpec, EngineError, ModelSpec, parse_spec
from startrack.engines.graphs.channels_last import to_channels_last
from startrack.engines.graphs.decode import decode_at_once
from startrack.engines.graphs.fold import drop_unused, read_graph, replace_all
from startrack.engines.graphs.merge import merge_pointwise
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.graphs.wide_first import read_four_pixels
from startrack.engines.sidecar import Sidecar

SUMS = ("Add", "Resize", "Concat")
"""What joins feature maps; with their 1×1 convolutions in float32 a face takes about a tenth longer."""
PERCENTILE = 99.9
"""Share of a map's values, in per cent, that its range holds; half of the others lie above. Finer steps for the most
outweigh the few that are cut off: with the whole range a still picture's landmarks tremble by about a third more."""
PIXELS = "quantise.pixels"
"""The crops less the middle of their range, as the first convolution takes them."""


def quantise(model_path: Path, inputs: Sequence[NDArray[np.uint8]], out: Path, *, reduce_range: bool = True) -> Sidecar:
    """Write `out` and its sidecar; returns the sidecar.

    model_path: a model of engines.graphs.export. inputs: batches of its input, like those that it will see; they
    set the ranges. reduce_range: 7-bit kernels, without which CPUs that lack VNNI overflow their 16-bit sums.
    Raises EngineError if the file is no such model or holds no convolution to quantise.
    """
    model = read_graph(model_path)
    spec = _spec_of(model, model_path)
    merge_pointwise(model.graph)
    middle = _normalise_in_first_convolution(model.graph)
    nodes = _nodes_to_quantise(model, sums=isinstance(spec, DetectorSpec))
    if not nodes:
        raise EngineError(f"{model_path}: no convolution before another one; expected a network to quantise")
    quantised = _quantise(model, inputs, nodes, middle=middle, reduce_range=reduce_range)
    _read_before_rounding(quantised.graph, set(nodes))
    _take_pixels_as_they_are(quantised.graph)
    if isinstance(spec, DetectorSpec):
        read_four_pixels(quantised.graph)
    to_channels_last(quantised)
    if isinstance(spec, ModelSpec):
        decode_at_once(quantised.graph, spec)
    return write_model(quantised, spec, out)


def read_spec(model_path: Path) -> AnySpec:
    """The specification in a file of engines.graphs.export or export_detector. Raises EngineError for any other."""
    return _spec_of(read_graph(model_path), model_path)


def _spec_of(model: onnx.ModelProto, path: Path) -> AnySpec:
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in metadata:
        raise EngineError(f"{path}: no {SPEC_KEY!r} entry in its metadata; expected a model of startrack export")
    return parse_spec(metadata[SPEC_KEY], str(path))


def _quantise(
    model: onnx.ModelProto,
    inputs: Sequence[NDArray[np.uint8]],
    nodes: list[str],
    *,
    middle: int | None,
    reduce_range: bool,
) -> onnx.ModelProto:
    """The model with these nodes' kernels and maps rounded."""
    levels = {"scale": np.array(1, np.float32), "zero_point": np.array(middle or 0, np.uint8)}
    with tempfile.TemporaryDirectory() as folder:
        wide, narrow = Path(folder) / "wide.onnx", Path(folder) / "narrow.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), wide)
        with _in_silence():
            quantize_static(
                wide,
                narrow,
                _Batches(model.graph.input[0].name, inputs),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=reduce_range,
                calibrate_method=CalibrationMethod.Percentile,
                nodes_to_quantize=nodes,
                op_types_to_quantize=["Conv", "Relu", *SUMS],
                extra_options={
                    "CalibPercentile": PERCENTILE,
                    "TensorQuantOverrides": {} if middle is None else {PIXELS: [levels]},
                },
            )
        return onnx.load(narrow)


@contextlib.contextmanager
def _in_silence() -> Iterator[None]:
    """The quantiser prints its steps, and recommends by the root logger steps that were taken here already."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _normalise_in_first_convolution(graph: onnx.GraphProto) -> int | None:
    """Crops → Cast → Transpose → (− mean) → (/ std) → Conv becomes Transpose → Cast → (− middle) → Conv, in place.

    A mean of 0 may be left out, as in a detector. Returns the middle, the whole number nearest to the mean, which a
    zero of the padding represents; None, and no change, where the graph does not begin like this or the means of the
    channels differ by more than a level.
    """
    values = {entry.name: entry for entry in graph.initializer}
    chain, name = [], graph.input[0].name
    for expected in ("Cast", "Transpose", "Sub", "Div", "Conv"):
        readers = [node for node in graph.node if name in node.input and node.op_type != "Shape"]
        if expected == "Sub" and [node.op_type for node in readers] == ["Div"]:
            continue
        if len(readers) != 1 or readers[0].op_type != expected or readers[0].input[0] != name:
            return None
        chain.append(readers[0])
        name = readers[0].output[0]
    cast, turn, *less, over, conv = chain
    constants = (*(node.input[1] for node in less), over.input[1], *conv.input[1:])
    if not all(one in values for one in constants):
        return None
    parts = [numpy_helper.to_array(values[one]).astype(np.float64) for one in constants]
    mean, std, kernel, *biases = parts if less else [np.zeros(1), *parts]
    middle = round(float(mean.mean()))
    if np.abs(mean - middle).max() > 1:
        return None
    kernel = kernel / std.reshape(1, -1, 1, 1)
    bias = sum(biases) + ((middle - mean).reshape(1, -1, 1, 1) * kernel).sum(axis=(1, 2, 3))
    changed = {"kernel": kernel, "bias": bias, "middle": np.array(middle)}
    for key, value in changed.items():
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), f"{PIXELS}.{key}"))
    chain_start = cast.output[0]
    replace_all(turn.input, [cast.input[0]])
    replace_all(cast.input, [turn.output[0]])
    centred = helper.make_node("Sub", [cast.output[0], f"{PIXELS}.middle"], [PIXELS], name=PIXELS)
    replace_all(conv.input, [PIXELS, f"{PIXELS}.kernel", f"{PIXELS}.bias"])
    rest = [node for node in graph.node if node not in (cast, turn, over, *less)]
    for node in rest:
        if node.op_type == "Shape":  # of the picture, which is cast only after it was turned
            replace_all(node.input, [turn.input[0] if one == chain_start else one for one in node.input])
    replace_all(graph.node, [turn, cast, centred, *rest])
    drop_unused(graph)
    return middle


def _take_pixels_as_they_are(graph: onnx.GraphProto) -> None:
    """Cast → (− middle) → quantised with a scale of 1 about the middle gives the crops again: leave all three out."""
    makers = {node.output[0]: node for node in graph.node}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] == PIXELS:
            less = makers[PIXELS]
            cast = makers[less.input[0]]
            for reader in graph.node:
                replace_all(reader.input, [cast.input[0] if one == node.output[0] else one for one in reader.input])
            replace_all(graph.node, [one for one in graph.node if one not in (node, less, cast)])
            drop_unused(graph)
            return


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """The inputs one after the other, as ONNX Runtime's calibrator takes them."""

    def __init__(self, name: str, inputs: Sequence[NDArray[np.uint8]]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.uint8]]] = iter([{name: batch} for batch in inputs])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _read_before_rounding(graph: onnx.GraphProto, quantised: set[str]) -> None:
    """Let all but the `quantised` nodes read maps as they are, in place, but for results of those nodes.

    ONNX Runtime's quantiser hands a map that one quantised node reads to all of its readers rounded.
    """
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.name in quantised or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for index, name in enumerate(node.input):
            widened = makers.get(name)
            narrowed = makers.get(widened.input[0]) if widened and widened.op_type == "DequantizeLinear" else None
            if narrowed is not None and makers[narrowed.input[0]].name not in quantised:
                node.input[index] = narrowed.input[0]


def _nodes_to_quantise(model: onnx.ModelProto, *, sums: bool) -> list[str]:
    """Names of the convolutions to quantise, each with the ReLU behind it, which then is part of the rounding.

    Those that lead to another convolution, but for heads and for 1×1 ones that only SUMS read; with sums these too, and
    SUMS and ReLUs that lead to one. A head is one from which the outputs are reached without another one, or whose
    result is mapped back by the next stack: of the same number of channels as such a one.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    kernels = {initializer.name: initializer.dims for initializer in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    leading = {name for node in convolutions for name in _ancestors(node, makers)}
    last = {int(kernels[node.input[1]][0]) for node in convolutions if node.name not in leading}
    readers = {name: {node.op_type for node in model.graph.node if name in node.input} for name in makers}
    chosen: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "Conv":
            channels, _, *size = (int(length) for length in kernels[node.input[1]])
            lifts = set(size) == {1} and readers[node.output[0]] <= set(SUMS)
            taken = channels not in last and (sums or not lifts)
        elif sums:
            taken = node.op_type in ("Relu", *SUMS) and node.name in leading
        else:
            maker = makers.get(node.input[0]) if node.op_type == "Relu" else None
            taken = maker is not None and maker.op_type == "Conv" and maker.name in chosen
        if taken:
            chosen.add(node.name)
    return [node.name for node in model.graph.node if node.name in chosen]


def _ancestors(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> set[str]:
    """Names of all nodes whose results go into `node`."""
    names: set[str] = set()
    waiting = list(node.input)
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name not in names:
            names.add(maker.name)
            waiting += maker.input
    return names

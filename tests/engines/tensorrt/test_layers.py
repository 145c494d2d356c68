"""Tables of layers in both spellings, TensorRT 10's and that of TensorRT for RTX, as JSON and as in the build log."""

from __future__ import annotations

import json

import pytest

from startrack.engines.base import EngineError
from startrack.engines.plans.facts import Precision
from startrack.engines.plans.layer_table import read_build_log, read_inspector
from startrack.engines.plans.layers import LayerReport, Requested, judge_build_log, judge_inspector

HALF = "Channel major FP16 format where channel % 8 == 0"
RTX_LOG = """Layers:
Name: __myl_CastAdd_myl0_1, LayerType: kgen, Inputs: [ { Name: crops, Dimensions: [-1,128,128,3], \
Strides: [49152,384,3,1], StrideOrder: [3,2,1,0], Datatype: UInt8, Format: (Linear) Row major linear format }], \
Constants: [ { Name: mean, Dimensions: [1,3,1,1], Strides: [3,1,3,3], StrideOrder: [3,0,2,1], Datatype: Float, \
Format: (NHWC) Channel major format }], Outputs: [ { Name: planes, Dimensions: [-1,4,128,128], Strides: \
[65536,1,512,4], StrideOrder: [3,0,2,1], Datatype: Half, Format: (NHWC) Channel major format }], TacticName: , \
StreamId: 0, Metadata: [ONNX Layer: node_div][ONNX Layer: conv_1]
Name: conv_1_myl0_2, LayerType: correlation, Inputs: [ { Name: planes, Dimensions: [-1,4,128,128], Strides: \
[65536,1,512,4], StrideOrder: [3,0,2,1], Datatype: Half, Format: (NHWC) Channel major format }, { Name: other, \
Dimensions: [-1,32,64,64], Strides: [1], StrideOrder: [0], Datatype: Half, Format: (NHWC) Channel major format }], \
Constants: [ { Name: kernel, Dimensions: [32,4,3,3], Strides: [36,1,12,4], StrideOrder: [3,0,2,1], Datatype: KERNEL, \
Format: (NHWC) Channel major format }, { Name: alpha, Dimensions: [1], Strides: [1], StrideOrder: [0], Datatype: \
Float, Format: (Linear) Row major linear format }, { Name: offset, Dimensions: [1,32,1,1], Strides: [32,1,32,32], \
StrideOrder: [3,0,2,1], Datatype: Float, Format: (NHWC) Channel major format }], Outputs: [ { Name: out, \
Dimensions: [-1,32,64,64], Strides: [131072,1,2048,32], StrideOrder: [3,0,2,1], Datatype: Half, Format: (NHWC) \
Channel major format }], TacticName: __myelin_CASK_STUB, StreamId: 0, Metadata: [ONNX Layer: conv_1][ONNX Layer: relu]
Name: softmax_myl0_3, LayerType: kgen, Inputs: [ { Name: out, Dimensions: [-1,68,1024], Strides: [1], StrideOrder: \
[0], Datatype: Half, Format: (Linear) Row major linear format }], Constants: [], Outputs: [ { Name: mass, Dimensions: \
[-1,68,1024], Strides: [1], StrideOrder: [0], Datatype: SUM, Format: (Linear) Row major linear format }], TacticName: \
, StreamId: 0, Metadata: [ONNX Layer: softmax]

I/O Tensors:
 Name: crops, IOMode: Input, DataType: UInt8, Dimensions: [-1,128,128,3], Location: Device"""
TENSORRT10_LOG = """Engine Layer Information:
Name: Reformatting CopyNode for Input Tensor 0 to conv_1 + relu, LayerType: Reformat, Inputs: [ { Name: x, Location: \
Device, Dimensions: [1,3,128,128], Format/Datatype: Row major linear FP32 }], Outputs: [ { Name: y, Location: Device, \
Dimensions: [1,3,128,128], Format/Datatype: Channel major FP16 format where channel % 8 == 0 }], ParameterType: \
Reformat, Origin: REFORMAT, TacticValue: 0x0000000000000000
Name: conv_1 + PWN(PWN(sigmoid), mul), LayerType: CaskConvolution, Inputs: [ { Name: y, Location: Device, Dimensions: \
[1,3,128,128], Format/Datatype: Channel major FP16 format where channel % 8 == 0 }], Outputs: [ { Name: z, Location: \
Device, Dimensions: [1,32,64,64], Format/Datatype: Channel major FP16 format where channel % 8 == 0 }], \
ParameterType: Convolution, Kernel: [3,3], PaddingMode: kEXPLICIT_ROUND_DOWN, PrePadding: [1,1], OutMaps: 32, Groups: \
1, Weights: {"Type": "KERNEL", "Count": 864}, Bias: {"Type": "Float", "Count": 32}, HasBias: 1, Activation: NONE, \
TacticName: sm80_xmma_fprop, TacticValue: 0xa9a06d0633580c0c, StreamId: 0, Metadata: \
[ONNX Layer: conv_1]\x1e[ONNX Layer: sigmoid]\x1e[ONNX Layer: mul]
Name: softmax, LayerType: SoftMax, Inputs: [ { Name: z, Location: Device, Dimensions: [1,68,1024], Format/Datatype: \
Row major linear FP16 format }], Outputs: [ { Name: mass, Location: Device, Dimensions: [1,68,1024], Format/Datatype: \
Row major linear SUM }], ParameterType: Softmax, TacticValue: 0x1, StreamId: 0, Metadata: [ONNX Layer: softmax]"""
LOGS = {"rtx": (RTX_LOG, "Float"), "tensorrt10": (TENSORRT10_LOG, "FP32")}
WANTED = Requested("half", ("conv_1",), ("softmax",))


def layer(name: str, kind: str = "CaskConvolution", **more: object) -> dict[str, object]:
    return {"Name": name, "LayerType": kind, **more}


def tensors(*types: str) -> list[dict[str, str]]:
    return [{"Name": "x", "Format/Datatype": text} for text in types]


def typed(kind: str, *dimensions: int) -> dict[str, object]:
    """A tensor in the newer spelling."""
    return {"Name": "x", "Dimensions": list(dimensions), "Datatype": kind, "Format": "(NHWC) Channel major format"}


def read(*layers: object, precision: Precision = "half", convolutions: tuple[str, ...] = ()) -> LayerReport:
    return judge_inspector(json.dumps({"Layers": layers, "Bindings": []}), Requested(precision, convolutions))


@pytest.mark.parametrize("spelling", LOGS)
def test_a_build_log_in_either_spelling(spelling: str) -> None:
    log, single = LOGS[spelling]
    good = log.replace("KERNEL", "Half").replace("SUM", single)
    found = judge_build_log(good, WANTED)
    assert found.convolutions == {"Half": 1}
    assert found.missed("half") is None
    layers = read_build_log(good)
    assert len(layers) == 3
    assert layers[1].nodes[0] == "conv_1"
    assert (layers[1].kernel, set(layers[1].inputs), layers[1].outputs) == ("Half", {"Half"}, ("Half",))
    assert layers[2].outputs == ("Float",)
    planted = judge_build_log(log.replace("KERNEL", "Float").replace("SUM", single), WANTED)
    assert planted.missed("half") == f"1 of 1 convolutions do not run in Half: {layers[1].name}"
    narrow = judge_build_log(log.replace("KERNEL", "Half").replace("SUM", "FP16"), WANTED)
    assert narrow.missed("half") == f"1 layers that must stay float32 do not: {layers[2].name}"
    hidden = judge_build_log(good, Requested("half", ("conv_1", "conv_2")))
    assert "1 convolutions are in no layer of the build log" in str(hidden.missed("half"))


def test_names_with_commas_and_brackets() -> None:
    (layer,) = [layer for layer in read_build_log(TENSORRT10_LOG) if layer.kind == "caskconvolution"]
    assert layer.name == "conv_1 + PWN(PWN(sigmoid), mul)"
    assert layer.nodes == ("conv_1", "sigmoid", "mul")


def test_precision_of_layers_in_all_the_inspector_s_words() -> None:
    unknown = tensors("N/A due to dynamic shapes")
    found = read(
        layer("a", Weights={"Type": "Half", "Count": 9}, Inputs=unknown),
        layer("b", Inputs=tensors(HALF), Outputs=tensors("Float")),
        layer("c", "gemm", Weights={"Type": "Half"}, Metadata="[ONNX Layer: conv_1]\x1f[ONNX Layer: relu]"),
        layer("d", "SoftMax", Outputs=tensors("Row major linear FP32")),
        layer("e", "kgen", Inputs=tensors("Half", "Half"), Metadata="[ONNX Layer: add]"),
        layer("Reformatting CopyNode for conv", "Reformat", Inputs=tensors("Float"), Outputs=tensors("Half")),
        layer("f", "Shuffle", Inputs=unknown),
        convolutions=("conv_1",),
    )
    assert found.convolutions == {"Half": 3}
    assert found.layers == {"Half": 4, "Float": 2, "other": 1}
    assert found.missed("half") is None


def test_the_newer_spelling_in_json() -> None:
    """Constants hold kernels, and numbers that scale a result; an offset of a whole channel is no kernel."""
    factor, offset = typed("Float", 1), typed("Float", 1, 64, 1, 1)
    found = read(
        layer("a", "correlation", Inputs=[typed("Half", -1, 8, 4, 4)], Constants=[factor, typed("Half", 64, 8, 3, 3)]),
        layer("b", "gemm", Constants=[offset, typed("Float", 64, 8, 1, 1)], Metadata="[ONNX Layer: conv_1]"),
        layer("c", "kgen", Inputs=[typed("Half", -1, 64)], Constants=[offset], Metadata="[ONNX Layer: conv_1]"),
        layer("d", "runtime_fusion", Constants=[typed("Half", 64, 1, 3, 3), factor], Metadata="[ONNX Layer: conv_2]"),
        convolutions=("conv_1", "conv_2"),
    )
    assert found.convolutions == {"Half": 2, "Float": 1}
    assert found.wrong == ("b",)


def test_a_float_convolution_is_found() -> None:
    found = read(
        layer("a", Weights={"Type": "Half"}),
        layer("b", Weights={"Type": "Float"}, Inputs=tensors("Half")),
        layer("cast behind it", Inputs=tensors("Float"), Outputs=tensors("Half")),
        layer("d", "kgen", Weights={"Type": "Float"}, Metadata="[ONNX Layer: conv_1]"),
        layer("e", Inputs=tensors("N/A due to dynamic shapes")),
        convolutions=("conv_1",),
    )
    assert found.wrong == ("b", "cast behind it", "d", "e")
    assert found.missed("half") == "4 of 5 convolutions do not run in Half: b, cast behind it, d, e"
    assert read(layer("a", Weights={"Type": "Float"}), precision="float").missed("float") is None
    assert read(layer("a", Weights={"Type": "Int8"}), precision="quantised").missed("quantised") is None
    assert read(layer("a", Weights={"Type": "FP8"})).missed("half") is not None


def test_a_convolution_that_no_layer_names_is_not_trusted() -> None:
    shown = layer("conv_1 + relu_1", Weights={"Type": "Half"})
    assert read(shown, convolutions=("conv_1",)).missed("half") is None
    found = read(shown, layer("x", Weights={"Type": "Half"}), convolutions=("conv_1", "conv_10"))
    assert found.unseen == ("conv_10",)
    assert "1 convolutions are in no layer of the inspector" in str(found.missed("half"))


def test_raw_control_characters_in_the_metadata() -> None:
    text = (
        '{"Layers": [{"LayerType": "gemm", "Weights": {"Type": "Half"}, "Metadata": "[ONNX Layer: a]\x1f[ONNX Layer: '
    )
    assert judge_inspector(text + 'conv_1]"}]}', Requested("half", ("conv_1",))).convolutions == {"Half": 1}


def test_a_plan_that_hides_its_layers_is_not_trusted() -> None:
    assert "shows no convolution" in str(read(layer("d", "SoftMax")).missed("half"))
    with pytest.raises(EngineError, match="gives names alone; expected a plan built with detailed verbosity"):
        read("conv_1", "relu")
    for information in ("", "[]", "{}", "not JSON", '{"Layers": 5}', "[" * 100_000):
        with pytest.raises(EngineError, match="inspector gives"):
            read_inspector(information)
    for table in ("", "Layers:\nconv_1\nrelu", "Name: x"):
        with pytest.raises(EngineError, match="build log has no table of layers; expected a plan built with detailed"):
            read_build_log(table)

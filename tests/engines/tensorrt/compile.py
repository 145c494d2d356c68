"""Models through NVIDIA's real parser and compiler, TensorRT for RTX, which needs no GPU; what came of them, as JSON.

    python -m tests.engines.tensorrt.compile MODEL.onnx [half float planted]

Run in a process of its own: a fault in the library is a SIGSEGV. One build follows the other in it, and all of it is
the way of build-engine: plan_graph, build_plan, judge_build_log.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.engines import bindings

ISLAND = 3
"""Convolutions of a planted float32 stack; the compiler turns a single one between two casts to half."""


def compile_model(model: Path, *forms: str, timeout_s: float = 600) -> dict[str, Any]:
    """Run this file in its own process; skips where the library is missing. forms: of "half", "float", "planted"."""
    folder = bindings.find(bindings.TENSORRT[bindings.RTX])
    command = ["-m", "tests.engines.tensorrt.compile", str(model), *forms]
    done: subprocess.CompletedProcess[str] = bindings.start(folder, command, timeout_s=timeout_s)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-2000:]}"
    assert "pure virtual" not in done.stderr, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def parser_support(trt: Any, model: bytes) -> tuple[bool, int]:
    """What ONNX Runtime's TensorRT providers ask: whether the parser takes a model file, and how many of its nodes."""
    from startrack.engines.plans.library import Messages, create, logger_for

    messages = Messages()
    logger = logger_for(trt, messages)
    builder = create(trt.Builder, logger, messages)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    whole = parser.supports_model_v2(model)
    parts = [index for index in range(parser.num_subgraphs) if parser.is_subgraph_supported(index)]
    return bool(whole), sum(len(parser.get_subgraph_nodes(index)) for index in parts)


def build(trt: Any, path: Path, form: str) -> dict[str, Any]:
    """A plan in that form, and the judgement of its layers."""
    from rich.console import Console

    from startrack.engines.plans.build import BuildOptions, build_plan
    from startrack.engines.plans.graph import plan_graph
    from startrack.engines.plans.layers import Requested, judge_build_log

    graph = plan_graph(path, half=form != "float")
    if form == "planted":
        graph = replace(graph, model=plant_float_stack(graph.model))
    options = BuildOptions(compute_capabilities=("8.6",))
    built = build_plan(trt, graph, options, timings=None, console=Console(stderr=True))
    report = judge_build_log(built.layers, Requested(graph.precision, graph.convolutions, graph.float_nodes))
    return {
        "bytes": len(built.plan),
        "graph_convolutions": len(graph.convolutions),
        "float_nodes": len(graph.float_nodes),
        "missed": report.missed(graph.precision),
        **asdict(report),
    }


def plant_float_stack(model: bytes) -> bytes:
    """Make the first half convolutions, and the sums and ReLUs among them, compute in float32, between casts."""
    import onnx
    from onnx import TensorProto, helper

    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    first = next(index for index, node in enumerate(graph.node) if node.op_type == "Conv")
    count, last = 0, first
    while count < ISLAND:
        assert graph.node[last].op_type in ("Conv", "Relu", "Add"), f"a stem with {graph.node[last].op_type}"
        count += graph.node[last].op_type == "Conv"
        last += 1
    region = list(graph.node[first:last])
    made = [name for node in region for name in node.output]
    read_later = {name for node in graph.node[last:] for name in node.input}
    before = _widen_inputs(graph, region, set(made))
    for node in region:
        for position, name in enumerate(node.output):
            node.output[position] = f"{name}.wide"
    after = [
        helper.make_node("Cast", [f"{name}.wide"], [name], name=f"{name}.narrow", to=TensorProto.FLOAT16)
        for name in made
        if name in read_later
    ]
    nodes = [*graph.node[:first], *before, *region, *after, *graph.node[last:]]
    del graph.node[:]
    graph.node.extend(nodes)
    content: bytes = proto.SerializeToString()
    return content


def _widen_inputs(graph: Any, region: list[Any], made: set[str]) -> list[Any]:
    """Let the nodes read float32: constants widened, maps from outside through the casts that are returned."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    constants = {entry.name: entry for entry in graph.initializer}
    casts: dict[str, Any] = {}
    for node in region:
        for position, name in enumerate(node.input):
            wide = node.input[position] = f"{name}.wide"
            if name in constants:
                values = numpy_helper.to_array(constants[name]).astype(np.float32)
                graph.initializer.append(numpy_helper.from_array(values, wide))
            elif name not in made and name not in casts:
                casts[name] = helper.make_node("Cast", [name], [wide], name=wide, to=TensorProto.FLOAT)
    return list(casts.values())


if __name__ == "__main__":
    from startrack.engines.plans.library import open_tensorrt

    library = open_tensorrt("tensorrt-rtx")
    source = Path(sys.argv[1])
    whole, nodes = parser_support(library, source.read_bytes())
    import onnx

    result: dict[str, Any] = {
        "supported": whole,
        "supported_nodes": nodes,
        "nodes": len(onnx.load(source, load_external_data=False).graph.node),
        "builds": {form: build(library, source, form) for form in sys.argv[2:]},
    }
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result |= {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_gb": usage.ru_maxrss / 1e6}
    print(json.dumps(result))

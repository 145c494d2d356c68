"""The real bindings' offer of the classes that the engines use: described from the bindings, kept as JSON.

    python -m tests.engines.tensorrt.api BINDINGS

rewrites api-VERSION.json from the folders that tests.engines.bindings has filled. The Python double is made of these
files, and test_bindings.py compares them with the bindings.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.engines import bindings
from tests.engines.tensorrt.library_stub import LOAD, LOAD_RTX, compile_stubs

CLASSES = (
    *("Builder", "BuilderFlag", "DataType", "Dims", "EngineInspector", "ErrorCode", "ErrorCodeTRT"),
    *("ExecutionContextAllocationStrategy", "HardwareCompatibilityLevel", "IBuilderConfig", "ICudaEngine"),
    *("IErrorRecorder", "IExecutionContext", "IHostMemory", "ILogger", "INetworkDefinition", "IOptimizationProfile"),
    *("IProgressMonitor", "ITensor", "ITimingCache", "LayerInformationFormat", "MemoryPoolType"),
    *("NetworkDefinitionCreationFlag", "OnnxParser", "ParserError", "ProfilingVerbosity", "Runtime", "TensorIOMode"),
)
RTX_CLASSES = (
    *("ComputeCapability", "CudaGraphStrategy", "DynamicShapesKernelSpecializationStrategy", "IRuntimeCache"),
    "IRuntimeConfig",
)
"""Of TensorRT for RTX alone, as far as the engines use them."""
DESCRIBE = r'''
import json, re

def short(text):
    """Types without their modules: tensorrt_bindings.tensorrt.Dims and nvinfer1::v_1_0::Dims are Dims."""
    return re.sub(r"tensorrt(_rtx)?_bindings\.tensorrt(_rtx)?\.|nv\w+::(v_1_0::)?", "", text)

def signatures(name, doc):
    """Every line "name(self: X, argument: type = default) -> type" of a docstring."""
    return [short(text) for text in re.findall(rf"^(?:\d+\. )?({name}\(.*\) -> .*)$", doc or "", re.MULTILINE)]

def describe(kind):
    if hasattr(kind, "__members__"):
        return {"members": {name: int(member) for name, member in kind.__members__.items()}}
    methods, properties, nested = {}, {}, {}
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, property):
            getter = re.search(r"-> (.*)", value.fget.__doc__ or "") if value.fget else None
            properties[name] = {"type": short(getter[1]) if getter else "", "settable": value.fset is not None}
        elif isinstance(value, type) and hasattr(value, "__members__"):
            nested[name] = describe(value)
        elif name == "__init__" or not name.startswith("_"):
            if callable(value):
                methods[name] = signatures(name, value.__doc__)
    return {"methods": methods, "properties": properties, "nested": nested}

print(json.dumps({
    "version": tensorrt_bindings.__version__,
    "classes": {name: describe(getattr(tensorrt_bindings, name)) for name in sys.argv[2].split(",")},
}))
'''


def describe(library: int | str, folder: Path) -> dict[str, Any]:
    """The API of the real bindings of one library, a key of bindings.TENSORRT. folder: for the compiled stubs."""
    classes = (*CLASSES, *RTX_CLASSES) if library == bindings.RTX else CLASSES
    found: dict[str, Any] = json.loads(run_on_bindings(library, folder, DESCRIBE, ",".join(classes)))
    return found


def run_on_bindings(library: int | str, folder: Path, script: str, *arguments: str) -> str:
    """Output of a script that finds the real bindings as tensorrt_bindings; its arguments begin at sys.argv[2].

    TensorRT for RTX has its library; under TensorRT's bindings there is the stub.
    """
    if library == bindings.RTX:
        return bindings.run(bindings.find(bindings.TENSORRT[library]), f"{LOAD_RTX}\n{script}", "", *arguments)
    stubs = compile_stubs(folder, int(library))
    return bindings.run(bindings.find(bindings.TENSORRT[library]), f"{LOAD}\n{script}", stubs, *arguments)


def kept_path(library: int | str) -> Path:
    """The JSON file of one library."""
    return Path(__file__).with_name(f"api-{bindings.TENSORRT[library].removeprefix('tensorrt-')}.json")


def load_api(library: int | str) -> dict[str, Any]:
    """What api-VERSION.json says."""
    api: dict[str, Any] = json.loads(kept_path(library).read_text(encoding="utf-8"))
    return api


if __name__ == "__main__":
    import os

    os.environ["STARTRACK_BINDINGS"] = sys.argv[1]
    for number in bindings.TENSORRT:
        with tempfile.TemporaryDirectory() as stubs_folder:
            text = json.dumps(describe(number, Path(stubs_folder)), indent=1)
        kept_path(number).write_text(text + "\n", encoding="utf-8")

"""In place of NVIDIA's libraries: nine functions that return nothing, so that the real Python bindings can be imported.

With it the bindings' classes, enums, signatures and subclassing are the real ones, and everything that would have to
come from the library is refused by them ("factory function returned nullptr").
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = """
#define RETURNS_NOTHING(name) void *name(void) { return 0; }
RETURNS_NOTHING(createInferBuilder_INTERNAL)
RETURNS_NOTHING(createInferRuntime_INTERNAL)
RETURNS_NOTHING(createInferRefitter_INTERNAL)
RETURNS_NOTHING(createNvOnnxParser_INTERNAL)
RETURNS_NOTHING(createNvOnnxParserRefitter_INTERNAL)
RETURNS_NOTHING(getPluginRegistry)
RETURNS_NOTHING(getBuilderPluginRegistry)
int getNvOnnxParserVersion(void) { return 0; }
int initLibNvInferPlugins(void *logger, const char *space) { return 1; }
"""
LIBRARIES = ("libnvinfer.so", "libnvonnxparser.so", "libnvinfer_plugin.so")

LOAD = """
import ctypes, sys
for path in sys.argv[1].split(":"):
    ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
import tensorrt_bindings
sys.modules["tensorrt"] = tensorrt_bindings
"""
"""Start of a script whose first argument is what compile_stubs gave; after it, `import tensorrt` finds the bindings."""

LOAD_RTX = """
import sys
import tensorrt_rtx_bindings as tensorrt_bindings
sys.modules["tensorrt"] = None
"""
"""The same for TensorRT for RTX, which needs no stub."""


def compile_stubs(folder: Path, major: int) -> str:
    """The stub under the three file names of one major version, joined by colons; skips where there is no gcc."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: apt install gcc")
    source = folder / "stub.c"
    source.write_text(SOURCE)
    paths = [folder / f"{name}.{major}" for name in LIBRARIES]
    for path in paths:
        # with its own name inside, so that the bindings' need for it is met
        command = [compiler, "-shared", "-fPIC", "-o", str(path), f"-Wl,-soname,{path.name}", str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return ":".join(map(str, paths))

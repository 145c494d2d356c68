"""The CUDA runtime through cuda-python, without torch: status codes become EngineErrors, and which GPU this is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from startrack.engines.base import EngineError, UnsuitableError
from startrack.errors import install_line


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU that CUDA calls go to."""

    name: str
    """As the driver names it, e.g. "NVIDIA GeForce RTX 3060"."""
    compute_capability: str
    """ "8.6": code built for one runs on no other."""
    multiprocessors: int
    memory_bytes: int
    cuda_version: str
    """Of the runtime that cuda-python brings, e.g. "13.0"."""
    driver_version: str
    """Newest CUDA version that the driver knows."""


class Cuda:
    """cuda.bindings.runtime and the reading of its answers, which are tuples of a status and the results."""

    def __init__(self, api: Any) -> None:
        """api: the module cuda.bindings.runtime."""
        self.api = api

    def check(self, action: str, answer: tuple[Any, ...]) -> Any:
        """The result of a call: None, one value or a tuple. Raises EngineError "cannot <action>: …" unless it
        succeeded."""
        status, *results = answer
        if status != self.api.cudaError_t.cudaSuccess:
            _, text = self.api.cudaGetErrorString(status)
            raise EngineError(f"cannot {action}: CUDA error {int(status)}: {text.decode()}")
        return results[0] if len(results) == 1 else tuple(results) or None

    def gpu(self) -> Gpu:
        """Properties of GPU 0."""
        properties = self.check("read the GPU's properties", self.api.cudaGetDeviceProperties(0))
        runtime = self.check("read the version of CUDA", self.api.cudaRuntimeGetVersion())
        driver = self.check("read the version of the driver", self.api.cudaDriverGetVersion())
        return Gpu(
            name=properties.name.decode().rstrip("\0"),
            compute_capability=f"{properties.major}.{properties.minor}",
            multiprocessors=int(properties.multiProcessorCount),
            memory_bytes=int(properties.totalGlobalMem),
            cuda_version=_version(runtime),
            driver_version=_version(driver),
        )


def open_cuda() -> Cuda:
    """CUDA on GPU 0. Raises UnsuitableError if cuda-python, the driver or the GPU is missing."""
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise UnsuitableError(f"cuda-python is not installed; expected: {install_line('gpu', 'rtx')}") from error
    cuda = Cuda(runtime)
    try:
        count = cuda.check("use a GPU", runtime.cudaGetDeviceCount())
    except EngineError as error:
        raise UnsuitableError(str(error)) from error
    except RuntimeError as error:  # older cuda-python raises this where there is no libcuda
        raise UnsuitableError(f"cannot use a GPU: no NVIDIA driver: {error}") from error
    if not count:
        raise UnsuitableError("cannot use a GPU: CUDA finds none")
    return cuda


def _version(number: int) -> str:
    """12080 → "12.8", CUDA's way to write versions."""
    return f"{number // 1000}.{number % 1000 // 10}"

"""Arrays in GPU memory and in page-locked host memory, at addresses that stay, as CUDA graphs and fast copies need."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from startrack.engines.cuda.runtime import Cuda


class DeviceBuffer:
    """An uninitialised C-contiguous array in GPU memory; torch and CuPy can view it in place."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Raises EngineError if the GPU's memory is full."""
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.nbytes = math.prod(shape) * self.dtype.itemsize
        self._cuda = cuda
        # CUDA refuses to allocate nothing
        allocated = cuda.api.cudaMalloc(max(self.nbytes, 1))
        self.address = int(cuda.check(f"allocate {self.nbytes / 1e6:.1f} MB on the GPU", allocated))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Numba's protocol, version 3: torch.as_tensor(buffer, device="cuda") shares the memory."""
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "version": 3,
        }

    def close(self) -> None:
        """Free the memory. Safe to call twice."""
        if self.address:
            address, self.address = self.address, 0
            self._cuda.check("free memory on the GPU", self._cuda.api.cudaFree(address))


class PinnedBuffer:
    """A C-contiguous array in page-locked host memory: the GPU copies from and to it by itself, at full speed."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Raises EngineError if no more memory can be locked."""
        self._cuda = cuda
        self.nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        allocated = cuda.api.cudaMallocHost(max(self.nbytes, 1))
        self.address = int(cuda.check(f"lock {self.nbytes / 1e6:.1f} MB of memory", allocated))
        memory = (ctypes.c_uint8 * self.nbytes).from_address(self.address)
        self.array: NDArray[Any] = np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
        """The memory itself; not to be used after close."""

    def close(self) -> None:
        """Free the memory. Safe to call twice."""
        if self.address:
            address, self.address = self.address, 0
            self.array = np.zeros(0, self.array.dtype)
            self._cuda.check("free locked memory", self._cuda.api.cudaFreeHost(address))

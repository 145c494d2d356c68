"""How long each kernel took on this GPU, kept between builds: a rebuild then takes seconds and chooses the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from startrack.engines.base import EngineError
from startrack.engines.cuda.runtime import Gpu
from startrack.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class TimingCache:
    """A file of a folder, named after all that its figures hold for: GPU, compute capability, TensorRT and CUDA."""

    path: Path

    @classmethod
    def of(cls, folder: Path, gpu: Gpu, tensorrt_version: str) -> TimingCache:
        """The file for this machine; the folder is made. Raises EngineError if it cannot be."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"{folder}: cannot keep a timing cache here: {error.strerror}") from error
        gpu_name = re.sub(r"[^a-z0-9]+", "-", gpu.name.lower()).strip("-")
        machine = f"{gpu_name}-sm{gpu.compute_capability.replace('.', '')}-{gpu.multiprocessors}"
        return cls(folder / f"{machine}-tensorrt{tensorrt_version}-cuda{gpu.cuda_version}.timing")

    def load_into(self, config: Any) -> bool:
        """Give a tensorrt.IBuilderConfig the kept figures, or an empty cache to fill. Returns whether it has kept
        ones: a damaged file, or one of another machine in spite of its name, is as good as none."""
        kept = self.path.read_bytes() if self.path.is_file() else b""
        if kept:
            cache = config.create_timing_cache(kept)
            # what TensorRT cannot read becomes an empty cache without an error
            read = cache is not None and bytes(cache.serialize()) != self._empty(config)
            if read and config.set_timing_cache(cache, False):
                return True
        config.set_timing_cache(config.create_timing_cache(b""), False)
        return False

    @staticmethod
    def _empty(config: Any) -> bytes:
        """A cache without figures, as TensorRT writes it."""
        return bytes(config.create_timing_cache(b"").serialize())

    def save_from(self, config: Any) -> None:
        """Keep the additions of a build, at once, so that a parallel build never reads half a file.

        Raises EngineError if the file cannot be written.
        """
        cache = config.get_timing_cache()
        if cache is None:
            return
        content = bytes(cache.serialize())
        try:
            write_whole(self.path, content)
        except OSError as error:
            raise EngineError(f"{self.path}: cannot be written: {error.strerror}") from error

"""Where the time of a frame goes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from startrack.tracker.types import StageLatency


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds of each stage, summed over one frame."""

    detect_ms: float = 0.0
    crop_ms: float = 0.0
    engine_ms: float = 0.0
    smooth_ms: float = 0.0

    def add(self, stage: Literal["detect_ms", "crop_ms", "engine_ms", "smooth_ms"], started: float) -> None:
        """Count the time since `started`, a time.perf_counter(), to a stage."""
        setattr(self, stage, getattr(self, stage) + 1e3 * (time.perf_counter() - started))

    def read(self) -> StageLatency:
        return StageLatency(self.detect_ms, self.crop_ms, self.engine_ms, self.smooth_ms)

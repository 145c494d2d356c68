"""A function in place of a model, for tests of everything that uses an engine (after httpx's MockTransport)."""

from __future__ import annotations

from collections.abc import Callable

from startrack.engines.base import CropArray, Engine, EngineError, LandmarkBatch, ModelSpec, check_crops


class FakeEngine(Engine):
    """Calls `function` with each batch of crops, after the same checks as a real engine."""

    def __init__(self, spec: ModelSpec, function: Callable[[CropArray], LandmarkBatch]) -> None:
        self._spec = spec
        self._function = function
        self.closed = False

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """See engines.base.Engine; heatmaps are whatever the function gives."""
        check_crops(self._spec, crops)
        if self.closed:
            raise EngineError(f"{self._spec.name}: the engine is closed")
        return self._function(crops)

    def close(self) -> None:
        self.closed = True

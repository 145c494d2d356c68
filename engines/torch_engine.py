"""A live torch network as an engine: the reference that the others are compared with, in float32 to the last bit."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from startrack.engines.base import CropArray, Engine, EngineError, LandmarkBatch, ModelSpec, check_crops


class TorchEngine(Engine):
    """Runs a module that maps (B, S, S, 3) uint8 crops to the five outputs of LandmarkBatch, in float32."""

    def __init__(self, module: nn.Module, spec: ModelSpec, device: str = "cpu") -> None:
        self._module: nn.Module | None = module.to(device).eval()
        self._spec = spec
        self._device = device

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @torch.inference_mode()
    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """See engines.base.Engine."""
        check_crops(self._spec, crops)
        if self._module is None:
            raise EngineError(f"{self._spec.name}: the engine is closed")
        given = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
        # TF32, torch's default for convolutions on a GPU, would move landmarks by more than 0.01 px
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            outputs = self._module(given)
        points, covariance, score, presence, maps = (value.float().cpu().numpy() for value in outputs)
        return LandmarkBatch(points, covariance, score, presence, maps if heatmaps else None)

    def close(self) -> None:
        """Let go of the module, which lives on where the caller keeps it."""
        self._module = None

"""A function in place of an eye model, for tests of everything that uses an eye engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from startrack.engines.base import CropArray, EngineError, EyeSpec
from startrack.engines.eyes import LID_POINTS, EyeBatch, EyeEngine, check_eye_crops


class FakeEyeEngine(EyeEngine):
    """Calls `function` with each batch of crops, after the same checks as a real engine."""

    def __init__(self, spec: EyeSpec, function: Callable[[CropArray], EyeBatch]) -> None:
        self._spec = spec
        self._function = function
        self.closed = False

    @property
    def spec(self) -> EyeSpec:
        return self._spec

    def __call__(self, crops: CropArray) -> EyeBatch:
        """See engines.eyes.EyeEngine."""
        check_eye_crops(self._spec, crops)
        if self.closed:
            raise EngineError(f"{self._spec.name}: the engine is closed")
        return self._function(crops)

    def close(self) -> None:
        self.closed = True


def open_eyes(spec: EyeSpec, count: int) -> EyeBatch:
    """The same open eye in each of `count` crops, in the middle of it, looking into the camera: what a function of a
    FakeEyeEngine may give, or begin with."""
    middle = np.array([spec.input_width - 1, spec.input_height - 1], np.float32) / 2
    half = spec.input_width / spec.crop_scale / 2
    shape = np.array([[-1, 0], [-0.35, -0.35], [0.35, -0.35], [1, 0], [0.35, 0.3], [-0.35, 0.3]], np.float32)
    each = np.eye(2, dtype=np.float32)
    ones = np.ones(count, np.float32)
    return EyeBatch(
        lids=np.tile(middle + half * shape, (count, 1, 1)).astype(np.float32),
        lid_covariance=np.tile(each, (count, LID_POINTS, 1, 1)),
        iris=np.tile(middle, (count, 1)),
        iris_radius=0.4 * half * ones,
        iris_covariance=np.tile(each, (count, 1, 1)),
        iris_visible=ones,
        openness=ones,
        gaze=np.tile(np.array([0, 0, -1], np.float32), (count, 1)),
        gaze_spread_rad=0.1 * ones,
    )

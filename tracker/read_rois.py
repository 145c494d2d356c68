"""ROIs of a frame → crops → engine → landmarks in frame pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from startrack.engines.base import Engine, EngineError
from startrack.tracker.cut import cut_for
from startrack.tracker.latency import Stopwatch
from startrack.tracker.types import Frame, Landmarks, Roi


def read_rois(frame: Frame, rois: Sequence[Roi], engine: Engine, watch: Stopwatch) -> list[Landmarks]:
    """Landmarks of the face in each ROI, all of them in one batch.

    Raises EngineError when the model fails, or gives a value that is not a finite number.
    """
    if not rois:
        return []
    started = time.perf_counter()
    cut = cut_for(engine.spec, frame.image, rois)
    watch.add("crop_ms", started)
    started = time.perf_counter()
    batch = engine(cut.crops)
    watch.add("engine_ms", started)
    # a sum of squares is finite only if all that it is made of is
    outputs = (batch.points, batch.covariance, batch.score, batch.presence)
    if not all(math.isfinite(np.vdot(values, values)) for values in outputs):
        raise EngineError(f"{engine.spec.name}: frame {frame.index}: landmarks that are not finite numbers")
    points, covariance = cut.points_back(batch.points), cut.covariance_back(batch.covariance)
    seen = [None] * len(rois) if batch.visibility is None else list(batch.visibility)
    return [
        Landmarks(points[face], covariance[face], batch.score[face], float(batch.presence[face]), seen[face])
        for face in range(len(rois))
    ]

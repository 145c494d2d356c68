"""ROIs of a frame → crops → engine → landmarks in frame pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from startrack.engines.base import Engine, EngineError
from startrack.tracker.crop import crop_affine, cut_crop, invert_affine, transform_covariance, transform_points
from startrack.tracker.latency import Stopwatch
from startrack.tracker.types import Frame, Landmarks, Roi


def read_faces(frame: Frame, rois: Sequence[Roi], engine: Engine, watch: Stopwatch) -> list[Landmarks]:
    """Landmarks of the face in each ROI, all of them in one batch.

    Raises EngineError when the model fails, or gives a value that is not a finite number.
    """
    if not rois:
        return []
    started = time.perf_counter()
    size = engine.spec.input_size
    affines = [crop_affine(roi, size) for roi in rois]
    crops = np.array([cut_crop(frame.image, affine, size) for affine in affines])
    if engine.spec.colour_order == "bgr":
        crops = crops[..., ::-1]
    watch.add("crop_ms", started)
    started = time.perf_counter()
    batch = engine(crops)
    watch.add("engine_ms", started)
    # a sum of squares is finite only if all that it is made of is
    outputs = (batch.points, batch.covariance, batch.score, batch.presence)
    if not all(math.isfinite(np.vdot(values, values)) for values in outputs):
        raise EngineError(f"{engine.spec.name}: frame {frame.index}: landmarks that are not finite numbers")
    faces: list[Landmarks] = []
    for index, affine in enumerate(affines):
        back = invert_affine(affine)
        faces.append(
            Landmarks(
                points=transform_points(back, batch.points[index]),
                covariance=transform_covariance(back, batch.covariance[index]),
                score=batch.score[index],
                presence=float(batch.presence[index]),
            )
        )
    return faces

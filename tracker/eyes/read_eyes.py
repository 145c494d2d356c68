"""Landmarks of a frame's faces → crops of their eyes → engine → landmarks with finer lids, irises and gaze."""

# F faces, N = 2 F eyes: of each face its own right one, then its left

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from startrack.closing import Closing
from startrack.engines.base import EngineError
from startrack.engines.eyes import EyeBatch, EyeEngine
from startrack.tracker.eyes.crop import EYES, EyeCut, cut_eyes, eye_rois
from startrack.tracker.eyes.lids import refined
from startrack.tracker.latency import Stopwatch
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import EyeReadings, FloatArray, Frame, Landmarks


class EyeReader(Closing):
    """Reads the eyes of all faces of a frame in one batch."""

    def __init__(self, engine: EyeEngine, scheme: LandmarkScheme) -> None:
        """scheme: of the landmarks, one with iBUG's 68 among its own. Raises ValueError otherwise."""
        if not scheme.ibug_68:
            raise ValueError(f"{scheme.name} has no lids; expected ibug_68, or a markup that has its landmarks")
        self._engine = engine
        self._own = list(scheme.ibug_68)
        self._lids = [scheme.ibug_68[k] for eye in EYES for k in eye]

    def __call__(self, frame: Frame, faces: Sequence[Landmarks], watch: Stopwatch) -> list[Landmarks]:
        """The landmarks of each face, read from this frame, with finer lids, and with Landmarks.eyes.

        Raises EngineError when the model fails, or gives a value that is not a finite number.
        """
        if not faces:
            return []
        started = time.perf_counter()
        spec = self._engine.spec
        rois = tuple(roi for face in faces for roi in eye_rois(spec, face.points[self._own]))
        cut = cut_eyes(spec, frame.image, rois)
        watch.add("crop_ms", started)
        started = time.perf_counter()
        batch = self._engine(cut.crops)
        watch.add("engine_ms", started)
        if not all(math.isfinite(np.vdot(values, values)) for values in _outputs(batch)):
            raise EngineError(f"{spec.name}: frame {frame.index}: eyes that are not finite numbers")
        started = time.perf_counter()
        lids, covariance = cut.lids_back(spec, batch.lids), cut.covariance_back(batch.lid_covariance)
        eyes = _readings(cut, batch)
        found = []
        for number, face in enumerate(faces):
            pair = slice(2 * number, 2 * number + 2)
            points, spread = lids[pair].reshape(-1, 2), covariance[pair].reshape(-1, 2, 2)
            found.append(replace(refined(face, self._lids, points, spread), eyes=eyes[number]))
        watch.add("crop_ms", started)
        return found

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


def _outputs(batch: EyeBatch) -> tuple[FloatArray, ...]:
    iris = batch.iris, batch.iris_radius, batch.iris_covariance, batch.iris_visible
    return batch.lids, batch.lid_covariance, *iris, batch.openness, batch.gaze, batch.gaze_spread_rad


def _readings(cut: EyeCut, batch: EyeBatch) -> list[EyeReadings]:
    """The eyes of each face."""
    fields = (
        cut.points_back(batch.iris[:, None])[:, 0],
        cut.length_back(batch.iris_radius),
        cut.covariance_back(batch.iris_covariance[:, None])[:, 0],
        *(np.asarray(values, np.float64) for values in (batch.iris_visible, batch.openness)),
        cut.gaze_back(batch.gaze),
        np.asarray(batch.gaze_spread_rad, np.float64),
    )
    return [EyeReadings(*(values[eye : eye + 2] for values in fields)) for eye in range(0, len(cut.crops), 2)]

"""Irises and gaze of one face from frame to frame: fixations rest, saccades pass, shut eyes are bridged."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.eyes.direction import angles_of, direction_of, line_of_sight
from startrack.tracker.eyes.gaze_offset import GazeOffset
from startrack.tracker.motion.innovation_filter import InnovationFilter
from startrack.tracker.types import EyeReadings, Eyes, FloatArray, HeadPose, Landmarks

# the face's own right eye comes first; angles are those of tracker/eyes/direction.py, in the head

Float64Array = NDArray[np.float64]
CORNERS = ((36, 39), (42, 45))
"""Of each eye, the one on the picture's left first."""
OPEN = 0.35
"""Openness from which an eye shows its gaze in full; below, the lids hide the more of the iris."""
LEAST_CLEAR = 0.1
"""How clearly an eye must be seen for its reading to count at all, 0..1."""
HOLD_S, FADE_S = 0.4, 0.5
"""How long the gaze is held while no eye is seen, as in a blink, and the time constant with which it then fades."""
STRAIGHT_SPREAD_RAD = 0.25
"""Standard deviation of a gaze of which nothing is known about straight ahead."""
NOISE_SHARE = 0.25
"""Share of a reading's spread that changes from frame to frame; the rest is a person's, and stays."""
GAZE = {"drift_per_s": 0.6, "half": 2.5}
BETWEEN = {"drift_per_s": 0.03, "half": 8.0}
"""Settings of the difference between the eyes, which changes slowly."""
IRIS = {"drift_per_s": 0.6, "half": 1.0}
RADIUS = {"drift_per_s": 0.02, "half": 8.0}


class EyeMotion:
    """Smooths the readings of one face's eyes, in time with its landmarks."""

    def __init__(self, offset_s: float | None = None) -> None:
        """offset_s: first seconds of the track in which the person looks into the camera (GazeOffset); None: none."""
        self._offset = GazeOffset(offset_s)
        self.restart()

    def restart(self) -> None:
        """Nothing before the next frame counts but the person's offset."""
        self._gaze, self._between = InnovationFilter(**GAZE), InnovationFilter(**BETWEEN)
        self._irises = InnovationFilter(**IRIS), InnovationFilter(**IRIS)
        self._radius = InnovationFilter(**RADIUS)
        self._seen_s = -math.inf
        self._spread_rad = STRAIGHT_SPREAD_RAD

    def __call__(self, landmarks: Landmarks, read: EyeReadings, pose: HeadPose, time_s: float) -> Eyes:
        """The eyes of the next frame, at a later time than the last one. landmarks: iBUG's 68, smoothed; read: of the
        same frame; pose: theirs."""
        clear = clearness(read)
        sight = line_of_sight(pose.camera, pose.origin)
        in_head = angles_of(read.gaze @ (pose.rotation.T @ sight).T)
        to_camera = angles_of(pose.rotation.T @ sight @ np.array([0.0, 0.0, -1.0]))
        in_head = in_head - self._offset.see(in_head, to_camera, clear, time_s)
        self._see_gaze(in_head, read.spread_rad, clear, time_s)
        angles, between, spread_rad = self._shown(time_s)
        gaze_in_head = direction_of(angles)
        iris, radius = self._iris(landmarks, read, pose, clear, time_s)
        return Eyes(
            iris=iris,
            radius=radius,
            covariance=read.covariance,
            visible=read.visible,
            openness=read.openness,
            gaze=pose.rotation @ gaze_in_head,
            gaze_of_each=direction_of(angles + between) @ pose.rotation.T,
            gaze_in_head=gaze_in_head,
            spread_rad=spread_rad,
        )

    def _see_gaze(self, angles: Float64Array, spread_rad: FloatArray, clear: Float64Array, time_s: float) -> None:
        """Take up (2, 2) angles of both eyes, each weighed by its spread."""
        counts = clear >= LEAST_CLEAR
        if not counts.any():
            return
        variance = np.asarray(spread_rad, np.float64) ** 2
        weights = np.where(counts, clear**2 / variance, 0.0)
        weights /= weights.sum()
        # what makes one eye's reading wrong makes the other's wrong, too: their mean is no surer than they are
        self._spread_rad = math.sqrt(float(weights @ variance))
        noise = NOISE_SHARE**2 * float(weights @ (variance / np.maximum(clear, LEAST_CLEAR) ** 2))
        fused = weights @ angles
        self._gaze(fused, noise, time_s)
        if counts.all():
            self._between(angles - fused, noise, time_s)
        self._seen_s = time_s

    def _shown(self, time_s: float) -> tuple[Float64Array, Float64Array, float]:
        """(2,) angles of the gaze, (2, 2) those of each eye from it, and the gaze's spread."""
        angles, between = self._gaze.values, self._between.values
        if angles is None:
            return np.zeros(2), np.zeros((2, 2)), STRAIGHT_SPREAD_RAD
        hidden_s = time_s - self._seen_s
        kept = math.exp(-max(hidden_s - HOLD_S, 0.0) / FADE_S)
        # while an eye is hidden a saccade may have come
        moved = 1 - math.exp(-hidden_s / FADE_S)
        spread = self._spread_rad + moved * max(STRAIGHT_SPREAD_RAD - self._spread_rad, 0.0)
        return kept * angles, np.zeros((2, 2)) if between is None else kept * between, spread

    def _iris(
        self, landmarks: Landmarks, read: EyeReadings, pose: HeadPose, clear: Float64Array, time_s: float
    ) -> tuple[Float64Array, Float64Array]:
        """(2, 2) centres and (2,) radii, frame pixels: each centre rides on the corners of its eye."""
        centres = np.empty((2, 2))
        scale = max(pose.scale_px, 1e-6)
        for eye, corners in enumerate(CORNERS):
            middle, axis = _axis(landmarks.unsmoothed, corners)
            at = (complex(*read.iris[eye]) - middle) / axis
            place, filtered = np.array([at.real, at.imag]), self._irises[eye]
            if clear[eye] >= LEAST_CLEAR or filtered.values is None:
                size = max(float(np.trace(read.covariance[eye])) / 2, 1e-6) / abs(axis) ** 2
                place = filtered(place, NOISE_SHARE**2 * size / max(float(clear[eye]), LEAST_CLEAR) ** 2, time_s)
            elif filtered.values is not None:
                place = filtered.values
            middle, axis = _axis(landmarks.points, corners)
            shown = middle + complex(*place) * axis
            centres[eye] = shown.real, shown.imag
        radii = np.asarray(read.radius, np.float64)
        relative = self._radius(radii / scale, max(float(np.mean(radii / scale)) ** 2 * 0.01, 1e-9), time_s)
        return centres, relative * scale


def still_eyes(points: FloatArray, pose: HeadPose, read: EyeReadings) -> Eyes:
    """The eyes of a face of which one picture is known. points: (68, 2) iBUG's, frame pixels; pose: theirs."""
    marks = Landmarks(points, np.zeros((len(points), 2, 2)), np.zeros(len(points)), 1.0)
    return EyeMotion()(marks, read, pose, 0.0)


def clearness(read: EyeReadings) -> Float64Array:
    """(2,) how clearly each eye shows where it looks, 0..1: it is visible, and open."""
    opened = np.clip(np.asarray(read.openness, np.float64) / OPEN, 0, 1)
    found: Float64Array = np.asarray(read.visible, np.float64) * opened
    return found


def _axis(points: FloatArray, corners: tuple[int, int]) -> tuple[complex, complex]:
    """Middle of an eye's corners and the way from its left to its right one, frame pixels."""
    (x0, y0), (x1, y1) = points[corners[0]].tolist(), points[corners[1]].tolist()
    axis = complex(x1 - x0, y1 - y0)
    return complex((x0 + x1) / 2, (y0 + y1) / 2), axis if abs(axis) > 1e-6 else 1e-6 + 0j

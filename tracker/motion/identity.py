"""The motion and the look of a face, which distinguish it from another face that is found in its place."""

# K landmarks; a point x, y is the complex number x + iy

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.similarity import ComplexArray, as_complex, procrustes_angle
from startrack.tracker.types import FloatArray, Similarity

VELOCITY_S = 0.12
"""Over how long the velocity is averaged."""
COAST_S = 0.6
"""How long an unseen face goes on with its velocity: exponentially less and less."""
SHAPE_S = 0.5
"""Over how long the shape is averaged."""
SHAPE_WEIGHT = 3.0
"""Two persons' upright shapes are some 5 % of the face's size apart, one person's from frame to frame under 2 %."""
FASTEST = 30.0
"""Speed in sizes of the face per second of the fastest face that is to be recognised: 36 % of its side a frame at 30
frames a second."""
KNOWN_S = 0.15
"""Age at which a face's velocity is known: until then it may have gone anywhere at up to FASTEST."""

UNSURE_WEIGHT = 0.2
"""Of a distance from the most likely place that the face may well have gone."""


class FaceMotion:
    """One face's middle, size, direction, their velocities, and its shape, from the frames in which it was seen."""

    def __init__(self) -> None:
        self._time_s = self._born_s = -math.inf
        self._middle, self._velocity = 0j, 0j
        self._angle, self._spin = 0.0, 0.0
        """Radians against the first frame, not cut off at half a turn, and per second."""
        self._first_angle = 0.0
        """In the frame from which similarities count."""
        self._size = 1.0
        self._shape: ComplexArray | None = None
        self._steps = 0

    def copy(self) -> FaceMotion:
        """The same motion, which stays as it is now."""
        # arrays are replaced and never written into; copy.copy takes ten times as long, for every face and frame
        other = FaceMotion.__new__(FaceMotion)
        other.__dict__.update(self.__dict__)
        return other

    def see(self, points: FloatArray, time_s: float, similarity: Similarity | None = None) -> None:
        """points: (K, 2) landmarks in frame pixels. time_s: increasing; a face that is lost and found again within one
        frame is where it was found, and as fast as before.

        similarity: that of the landmarks (Landmarks.similarity); None in the first frame and in the first after a loss.
        """
        middle, size, shape = _normalised(points)
        if self._shape is None:
            self._shape, self._born_s = shape, time_s
        elif time_s > self._time_s:
            step_s = time_s - self._time_s
            self._steps += 1
            # the first velocities are averaged evenly: they are all that is known
            gain = max(1 - math.exp(-step_s / VELOCITY_S), 1 / self._steps)
            self._velocity += gain * ((middle - self._middle) / step_s - self._velocity)
            turn = self._turn(shape, self._angle + step_s * self._spin, similarity)
            self._spin += gain * ((turn - self._angle) / step_s - self._spin)
            self._angle = turn
            share = 1 - math.exp(-step_s / SHAPE_S)
            self._shape = (1 - share) * self._shape + share * cmath.exp(-1j * turn) * shape
        if similarity is None:
            self._first_angle = self._angle
        self._middle, self._size, self._time_s = middle, size, time_s

    def predict(self, time_s: float) -> tuple[complex, float]:
        """Middle of the landmarks in frame pixels, x + iy, and their size: RMS distance from it."""
        return self._middle + self._coasted(time_s) * self._velocity, self._size

    def cost(self, points: FloatArray, time_s: float, similarity: Similarity | None = None) -> float:
        """How unlike this face (K, 2) landmarks are, about 0 for the face itself: distance from where it may be, in
        its sizes, plus change of size, of direction and of shape. The face must have been seen before.

        similarity: as for `see`; None for landmarks that may be another face's, whose direction is fitted here.
        A distance that the face may have gone, because its velocity is unknown or because it has stopped or gone on,
        counts a fifth.
        """
        assert self._shape is not None
        middle, size, shape = _normalised(points)
        expected, before = self.predict(time_s)
        off = self._off_course(middle, time_s)
        away = (off + UNSURE_WEIGHT * (abs(middle - expected) - off)) / before
        reach = self._reach(time_s)
        away = max(away - reach, 0.0) + UNSURE_WEIGHT * min(away, reach)
        expected_angle = self._angle + self._coasted(time_s) * self._spin
        turn = self._turn(shape, expected_angle, similarity)
        apart = _rms(cmath.exp(-1j * turn) * shape - self._shape)
        # a face that is being covered seems to turn: it may have gone on turning, or not at all
        stopped = abs(math.remainder(turn - self._angle, math.tau))
        turned = 2 * math.sin(min(abs(turn - expected_angle), stopped, math.pi) / 2)
        return away + abs(math.log(size / before)) + SHAPE_WEIGHT * math.hypot(apart, turned)

    def _turn(self, shape_K: ComplexArray, near_rad: float, similarity: Similarity | None) -> float:
        """Direction of a shape against the first frame's: of all that look the same the nearest to near_rad."""
        assert self._shape is not None
        if similarity is None:
            angle = procrustes_angle(self._shape, shape_K)
        else:
            angle = self._first_angle + cmath.phase(similarity.factor)
        return near_rad + math.remainder(angle - near_rad, math.tau)

    def _off_course(self, middle: complex, time_s: float) -> float:
        """Distance in frame pixels from where the face may be: it may have stopped at any time, or gone on."""
        step = (time_s - self._time_s) * self._velocity
        gone = middle - self._middle
        along = (gone * step.conjugate()).real / max(abs(step) ** 2, 1e-12)
        return abs(gone - min(max(along, 0.0), 1.0) * step)

    def _coasted(self, time_s: float) -> float:
        """Seconds that the velocity goes on."""
        return COAST_S * (1 - math.exp(-(time_s - self._time_s) / COAST_S))

    def _reach(self, time_s: float) -> float:
        """How far the face may have gone apart from its velocity, in its sizes: the younger it is, the less is
        known."""
        unknown = math.exp(-(self._time_s - self._born_s) / KNOWN_S)
        return unknown * FASTEST * min(time_s - self._time_s, COAST_S)


def _normalised(points_K2: FloatArray) -> tuple[complex, float, ComplexArray]:
    """Middle and size in frame pixels, and the shape (K,) in units of the size, as it is turned in the frame."""
    points_K = as_complex(points_K2)
    middle = complex(points_K.sum()) / len(points_K)
    centred_K = points_K - middle
    size = max(_rms(centred_K), 1e-6)
    return middle, size, centred_K / size


def _rms(distances_K: ComplexArray) -> float:
    return math.sqrt(np.vdot(distances_K, distances_K).real / len(distances_K))


def same_face(first: FloatArray, second: FloatArray, *, within: float) -> NDArray[np.bool_]:
    """(...) whether two sets of landmarks (..., K, 2) lie on one face: mean distance up to `within` of the larger side
    of the first one's bounding box. Unlike overlapping boxes, two heads close together stay two."""
    side = (first.max(axis=-2) - first.min(axis=-2)).max(axis=-1)
    away = first - second
    mean_distance = np.hypot(away[..., 0], away[..., 1]).mean(axis=-1)
    return np.asarray(mean_distance <= within * side)


def inside_face(inner: FloatArray, outer: FloatArray, *, smaller: float) -> bool:
    """Whether (K, 2) landmarks lie within another face and are far too small to be a face before it: their middle is
    within the other's bounding box, shrunk by a tenth at each edge, and their larger side less than `smaller` times
    its. Such as a face found on open teeth, on an eye or on a lock of hair."""
    low, high = outer.min(axis=0), outer.max(axis=0)
    extent = high - low
    middle = (inner.min(axis=0) + inner.max(axis=0)) / 2
    is_within = bool(((middle > low + 0.1 * extent) & (middle < high - 0.1 * extent)).all())
    return is_within and float(np.ptp(inner, axis=0).max()) < smaller * float(extent.max())

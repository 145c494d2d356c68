"""How much a face's landmarks jitter, and the speed of its head: the basis of a smoother's noise."""

# K landmarks; a point x, y is the complex number x + iy

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.motion.similarity import ComplexArray, median
from startrack.tracker.smooth.face_frame import HEAD, Reading

Float64Array = NDArray[np.float64]
RECENT = 2
"""Frames whose largest speed counts."""


class JitterLevel:
    """The share of the heatmaps' variance that jitters in this video, as a running median over time.

    It is measured from second differences of the median landmark, which neither a motion of the whole face nor a blink
    touches; white noise of variance v gives 6 v for each axis, and a median of 2 ln 2 · 6 v for both. A head that turns
    and a mouth that speaks raise them for a while: a median over time forgives that, a mean would smooth most where
    most moves.
    """

    def __init__(self, first: Reading, *, share: float, least: float, memory_s: float) -> None:
        """share: taken until it is measured. least: taken where less is measured. memory_s: of the running median."""
        self._log, self._least, self._memory_s = math.log(share), least, memory_s
        self._last = self._before = first.rows[HEAD:]

    def __call__(self, reading: Reading, step_s: float) -> float:
        """The share with this frame, 0 < share."""
        places = reading.rows[HEAD:]
        second_K = places - 2 * self._last + self._before
        self._before, self._last = self._last, places
        share = median((second_K.real**2 + second_K.imag**2) / reading.spread) / (12 * math.log(2))
        beyond = math.log(max(share, self._least / 4)) - self._log
        self._log += min(1.0, step_s / self._memory_s) * max(-1.0, min(beyond, 1.0))
        return max(math.exp(self._log), self._least)


class HeadSpeed:
    """How fast the head moves and how fast it turns out of the picture's plane, in sides of the crop per second.

    A turn shows as a slow deformation of the face: the motion on the face of all landmarks, projected on four modes,
    its affine ones and a bulge towards its middle, which is what depth does to a face.
    """

    def __init__(self, first: Reading, weight_K: Float64Array) -> None:
        """weight: (K,) how far a landmark is part of the rigid head."""
        places = first.rows[HEAD:]
        root = np.sqrt(weight_K / weight_K.sum())
        middle = complex((weight_K * places).sum() / weight_K.sum())
        modes = np.stack([np.ones_like(places), places, places.conj(), np.abs(places - middle) ** 2], axis=1)
        basis, _ = np.linalg.qr(modes * root[:, None])
        self._project = np.ascontiguousarray(basis.conj().T * root)
        self._last = first.rows
        self._moves: deque[float] = deque([0.0] * RECENT, RECENT)
        self._turns: deque[float] = deque([0.0] * RECENT, RECENT)

    def __call__(self, reading: Reading, step_s: float) -> tuple[float, float]:
        """Speeds of motion and of turning: the larger of the last two frames'."""
        change = reading.rows - self._last
        self._last = reading.rows
        turn, shift = complex(change[0]), complex(change[1])
        self._moves.append((abs(shift) + 0.5 * abs(turn.real)) / step_s)
        modes: ComplexArray = self._project @ change[HEAD:]
        self._turns.append(math.sqrt(float(np.vdot(modes, modes).real)) / step_s)
        return max(self._moves), max(self._turns)

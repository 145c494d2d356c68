"""Numbers over time in bounded memory: each face's values and the run's, as mean, least and most of each time step."""

# N rows, C channels

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHANNELS = ("pitch", "yaw", "roll", "right_eye", "left_eye", "mouth", "certainty", "speed")
"""Of a face: degrees, 0 to 1 (open), mean score, and eye distances a second."""
RUN = -1
"""The id of the run's own row, whose first two channels are RUN_CHANNELS."""
RUN_CHANNELS = ("latency_ms", "faces")
MOST_STEPS = 600
"""Time steps at the end; twice as many while the run goes on."""
MOST_CELLS = 24_000
"""Pairs of face and step that are kept; beyond it the faces seen for the shortest time are left out."""
ROWS = 2048
"""Rows that wait to be added together."""
FIRST_STEP_S = 1 / 128
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One face over the steps at which it was seen."""

    steps: NDArray[np.int64]
    """(N,) numbers of the time steps, increasing."""
    frames: NDArray[np.int64]
    """(N,) frames in each."""
    mean: FloatArray
    """(N, C) NaN where a value is not known."""
    least: FloatArray
    most: FloatArray


class Timeline:
    """Adds rows of (time, id, values); time steps are made twice as long whenever there are too many."""

    def __init__(self) -> None:
        self.step_s = FIRST_STEP_S
        """Length of a step in seconds."""
        self.left_out = 0
        """Faces whose values were dropped to stay within MOST_CELLS."""
        self._times: list[float] = []
        self._ids: list[int] = []
        self._values: list[tuple[float, ...]] = []
        width = len(CHANNELS)
        self._keys = np.zeros((0, 2), np.int64)
        self._frames = np.zeros(0, np.int64)
        self._sums, self._least, self._most = (np.zeros((0, width)) for _ in range(3))

    def add(self, time_s: float, face: int, values: tuple[float, ...]) -> None:
        """time_s: seconds since the first frame. values: of CHANNELS, or RUN_CHANNELS with face RUN."""
        self._times.append(time_s)
        self._ids.append(face)
        self._values.append(values if len(values) == len(CHANNELS) else (*values, *(0.0,) * (len(CHANNELS) - 2)))
        if len(self._times) >= ROWS:
            self._gather()

    def _gather(self) -> None:
        """Put the waiting rows into their steps."""
        if not self._times:
            return
        times, values = np.array(self._times), np.array(self._values)
        while times.max() / self.step_s >= 2 * MOST_STEPS:
            self._halve()
        keys = np.column_stack([np.array(self._ids, np.int64), (times / self.step_s).astype(np.int64)])
        self._times, self._ids, self._values = [], [], []
        self._keys = np.concatenate([self._keys, keys])
        self._frames = np.concatenate([self._frames, np.ones(len(keys), np.int64)])
        self._sums, self._least, self._most = (
            np.concatenate([before, values]) for before in (self._sums, self._least, self._most)
        )
        self._add_together()
        self._drop_short()

    def _halve(self) -> None:
        self.step_s *= 2
        self._keys[:, 1] //= 2
        self._add_together()

    def _add_together(self) -> None:
        """One row for each face and step."""
        if not len(self._keys):
            return
        order = np.lexsort((self._keys[:, 1], self._keys[:, 0]))
        keys = self._keys[order]
        starts = np.flatnonzero(np.concatenate([[True], (np.diff(keys, axis=0) != 0).any(axis=1)]))
        self._keys = keys[starts]
        self._frames = np.add.reduceat(self._frames[order], starts)
        self._sums = np.add.reduceat(self._sums[order], starts)
        self._least = np.minimum.reduceat(self._least[order], starts)
        self._most = np.maximum.reduceat(self._most[order], starts)

    def _drop_short(self) -> None:
        if len(self._keys) <= MOST_CELLS:
            return
        faces, cells = np.unique(self._keys[:, 0], return_counts=True)
        cells[faces == RUN] = MOST_CELLS
        order = np.argsort(cells)
        dropped = faces[order][np.cumsum(cells[order]) <= len(self._keys) - MOST_CELLS // 2]
        self.left_out += len(dropped)
        keep = ~np.isin(self._keys[:, 0], dropped)
        self._keys, self._frames = self._keys[keep], self._frames[keep]
        self._sums, self._least, self._most = self._sums[keep], self._least[keep], self._most[keep]

    def finish(self, duration_s: float) -> dict[int, Series]:
        """Id → its series, RUN among them. duration_s: from the first frame to the last."""
        self._gather()
        while duration_s / self.step_s >= MOST_STEPS:
            self._halve()
        series: dict[int, Series] = {}
        for face in np.unique(self._keys[:, 0]).tolist():
            rows = self._keys[:, 0] == face
            frames = self._frames[rows]
            mean = self._sums[rows] / frames[:, None]
            series[face] = Series(self._keys[rows, 1], frames, mean, self._least[rows], self._most[rows])
        return series

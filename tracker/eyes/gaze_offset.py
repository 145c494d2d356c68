"""A person's own offset of gaze: an eye looks a few degrees beside the axis that its iris shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
CLEAR = 0.5
"""How clearly an eye must be seen for a reading of it to count, 0..1."""


class GazeOffset:
    """The offset of each eye of one track.

    With `fixed_s` the person looks into the camera for the first so many seconds of the track: the offset is the median
    difference between the gaze that is read and the way to the camera, and then stays. Without it there is none.
    """

    def __init__(self, fixed_s: float | None = None) -> None:
        self._fixed_s = fixed_s
        self._born_s: float | None = None
        self._samples: tuple[list[Float64Array], list[Float64Array]] = ([], [])
        self._offset = np.zeros((2, 2))

    def see(self, angles: Float64Array, to_camera: Float64Array, clear: Float64Array, time_s: float) -> Float64Array:
        """Take up a frame; gives (2, 2) the offset of each eye by now, to be taken from its angles.

        angles: (2, 2) of each eye's gaze in the head. to_camera: (2,) of the way to the camera. clear: (2,) how clearly
        each eye is seen, 0..1.
        """
        self._born_s = time_s if self._born_s is None else self._born_s
        if self._fixed_s is not None and time_s - self._born_s <= self._fixed_s:
            for eye in np.flatnonzero(clear >= CLEAR).tolist():
                self._samples[eye].append(angles[eye] - to_camera)
                self._offset[eye] = np.median(self._samples[eye], axis=0)
        return self._offset

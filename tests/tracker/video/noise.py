"""Pictures that do not compress."""

from __future__ import annotations

import numpy as np


def noise(index: int, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(index).integers(0, 255, (height, width, 3), np.uint8)

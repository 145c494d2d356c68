"""Landmarks in heatmap cells → Gaussian heatmaps: on whole cells (HRNet), exact (DARK), exact in a window (UDP).

The heatmap's size is (width, height) in cells. Which pixel a cell belongs to is train.targets.cells's.
"""

# K landmarks, h w heatmap rows and columns

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Codec = Literal["dark", "hrnet", "udp"]


class Targets(NamedTuple):
    """The target of heatmap regression."""

    maps: Float32Array
    """(K, h, w), 0..1; 0 everywhere where the weight is 0."""
    weight: Float32Array
    """(K,) 1 for a landmark that is annotated and whose blob reaches into the map, else 0."""


def gaussian_targets(
    cells_K2: FloatArray, annotated_K: NDArray[np.bool_], size: tuple[int, int], *, sigma: float, codec: Codec = "dark"
) -> Targets:
    """Targets of one crop.

    cells: (K, 2) x, y; those not annotated may be anything. codec: "dark" draws the whole Gaussian at its exact place
    (Zhang et al., CVPR 2020), "hrnet" puts it on the nearest cell and cuts it off beyond 3 sigma (Sun et al., CVPR
    2019), "udp" cuts off like "hrnet", but draws at the exact place (Huang et al., CVPR 2020).
    """
    cells = np.where(annotated_K[:, None], np.asarray(cells_K2, np.float64), -1e6)
    # towards zero, as the published codes' int() does: only where it makes no difference to the drawing
    nearest = np.trunc(cells + 0.5)
    reach = 3 * sigma
    middle = cells if codec == "dark" else nearest
    inside = np.all(middle - reach < size, axis=1) & np.all(middle + reach + 1 >= 0, axis=1) & annotated_K
    centre = nearest if codec == "hrnet" else cells
    profiles = []
    for axis in (0, 1):
        grid = np.arange(size[axis])
        profile = np.exp(-((grid - centre[:, axis, None]) ** 2) / (2 * sigma**2))
        if codec != "dark":
            profile = profile * (np.abs(grid - nearest[:, axis, None]) <= reach)
        profiles.append(profile * inside[:, None])
    maps: Float32Array = (profiles[1][:, :, None] * profiles[0][:, None, :]).astype(np.float32)
    return Targets(maps, inside.astype(np.float32))


def hrnet_face_targets(cells_K2: FloatArray, size: int = 64, *, sigma: float = 1.5) -> Float32Array:
    """(K, size, size) as HRNet's face code draws them (HRNet-Facial-Landmark-Detection f776dbe).

    [TRAP] The window of a sigma of 1.5 begins at trunc(c - 4.5) and its middle is taken as element 5 of 10, so the peak
    is the cell at or above c - ½; a landmark whose window begins beyond the map or ends before it is not drawn.
    """
    reach = sigma * 3
    cells = np.asarray(cells_K2, np.float64)
    first, end = np.trunc(cells - reach), np.trunc(cells + reach + 1)
    length = np.ceil(2 * reach + 1)
    inside = np.all(first < size, axis=1) & np.all(end >= 0, axis=1)
    grid = np.arange(size)
    at = grid - first[..., None]
    middle = (2 * reach + 1) // 2
    profile = np.exp(-((at - middle) ** 2) / (2 * sigma**2)) * ((at >= 0) & (at < length) & (grid < end[..., None]))
    profile = profile * inside[:, None, None]
    maps: Float32Array = (profile[:, 1, :, None] * profile[:, 0, None, :]).astype(np.float32)
    return maps

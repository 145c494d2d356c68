"""Where heatmap cells lie in the crop: the three conventions in use, each with its inverse.

| convention | cell of pixel p | mirrored crop |
|---|---|---|
| CENTRES | (p + ½) / stride - ½ | cell n - 1 - c: exact |
| CORNERS | p / stride (HRNet, and what mmpose calls MSRA and Megvii) | cell n - c: heatmaps must be shifted by one |
| INTERVALS | p · (n - 1) / (N - 1) (UDP, Huang et al., CVPR 2020) | cell n - 1 - c: exact |

n cells show N pixels along an axis. CENTRES is the tracker's own (engines.decode) and as free of bias as INTERVALS: a
cell's middle is the middle of the pixels that its convolutions see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray

Float64Array = NDArray[np.float64]
Map = Callable[[Float64Array, Float64Array, Float64Array], Float64Array]


@dataclass(frozen=True)
class CellConvention:
    """Pixels of the crop ↔ cells of its heatmaps."""

    name: str
    _to_cells: Map
    _to_pixels: Map

    def to_cells(self, points: FloatArray, crop: tuple[int, int], heatmap: tuple[int, int]) -> Float64Array:
        """(..., 2) crop pixels → cells; crop and heatmap: width, height."""
        return self._to_cells(*_float64(points, crop, heatmap))

    def to_pixels(self, cells: FloatArray, crop: tuple[int, int], heatmap: tuple[int, int]) -> Float64Array:
        """The inverse of to_cells."""
        return self._to_pixels(*_float64(cells, crop, heatmap))


def _float64(
    values: FloatArray, crop: tuple[int, int], heatmap: tuple[int, int]
) -> tuple[Float64Array, Float64Array, Float64Array]:
    return np.asarray(values, np.float64), np.array(crop, np.float64), np.array(heatmap, np.float64)


CENTRES = CellConvention(
    "centres",
    lambda points, crop, heatmap: (points + 0.5) * heatmap / crop - 0.5,
    lambda cells, crop, heatmap: (cells + 0.5) * crop / heatmap - 0.5,
)
CORNERS = CellConvention(
    "corners",
    lambda points, crop, heatmap: points * heatmap / crop,
    lambda cells, crop, heatmap: cells * crop / heatmap,
)
INTERVALS = CellConvention(
    "intervals",
    lambda points, crop, heatmap: points * (heatmap - 1) / (crop - 1),
    lambda cells, crop, heatmap: cells * (crop - 1) / (heatmap - 1),
)

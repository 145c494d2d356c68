"""An open eye whose upper lid comes down over it: the skin above is stretched over it.

Unlike the warp of the made clips (train/motion/expression.py), which squeezes the eye between its lids, the eye below
the lid's edge stays as it is, as a real one does.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import FloatArray, ImageArray

Floats = NDArray[np.float64]
SKIN = 1.1
"""Height of the skin that is stretched above the lid, over half the distance of the corners."""


class LidArches:
    """Both lids of an eye, each taken for a parabola from corner to corner."""

    def __init__(self, lids: FloatArray) -> None:
        """lids: (6, 2), pixels."""
        self._lids = np.array(lids, np.float64)
        outer, inner = self._lids[[0, 3]]
        self._middle = (outer + inner) / 2
        self.half = max(float(np.linalg.norm(inner - outer)) / 2, 1e-6)
        """Of the distance of the corners, pixels."""
        along = (inner - outer) / (2 * self.half)
        down = np.array([-along[1], along[0]])
        self._axes = np.array([along / self.half, down if down @ (self._lids[4] - self._lids[2]) >= 0 else -down])
        self.upper = min(self._depth((1, 2)), -1e-3)
        """Depth of the upper lid's middle below the line of the corners, pixels."""
        self.lower = max(self._depth((4, 5)), self.upper + 1e-3)
        """Depth of the lower lid's middle."""

    def places(self, points: FloatArray) -> tuple[Floats, Floats]:
        """Along the line of the corners, −1 and 1 at the corners, and below it in pixels. points: (..., 2)."""
        away = (np.asarray(points, np.float64) - self._middle) @ self._axes.T
        return away[..., 0], away[..., 1]

    def over(self, image: ImageArray) -> tuple[Floats, Floats]:
        """(H, W) places of every pixel of a picture (H, W, 3)."""
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        return self.places(np.stack([columns, rows], axis=-1))

    def _depth(self, pair: tuple[int, int]) -> float:
        across, depth = self.places(self._lids[list(pair)])
        return float(depth.mean()) / max(float((1 - across**2).mean()), 0.3)


class LidFall(LidArches):
    """The upper lid of one eye, part of its way down."""

    def __init__(self, lids: FloatArray, share: float) -> None:
        """lids: (6, 2) of the open eye, pixels. share: of the opening that is shut, 0..1."""
        super().__init__(lids)
        self.fall = share * (self.lower - self.upper)
        """How far its middle comes down, pixels."""

    def move_lids(self) -> Floats:
        """(6, 2) the lids as they are then."""
        moved = self._lids.copy()
        across, _ = self.places(moved[1:3])
        moved[1:3] += self.fall * np.maximum(1 - across**2, 0)[:, None] * self._axes[1]
        return moved

    def covers(self, point: FloatArray) -> bool:
        """Whether the fallen lid is over a point (2,)."""
        across, depth = self.places(point)
        return bool(depth < (self.upper + self.fall) * max(1 - float(across) ** 2, 0.0))

    def draw(self, crop: ImageArray) -> ImageArray:
        """The (H, W, 3) crop with the lid down."""
        reach = self.half * (1 + SKIN)
        low = np.maximum(np.floor(self._middle - reach), 0).astype(int)
        high = np.minimum(np.ceil(self._middle + reach) + 1, [crop.shape[1], crop.shape[0]]).astype(int)
        if (high - low).min() < 2:
            return crop
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
        pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
        across, depth = self.places(pixels)
        arch = np.clip(1 - across**2, 0, 1)
        edge, top = (self.upper + self.fall) * arch, self.upper * arch - SKIN * self.half
        stretched = top + (depth - top) * (self.upper * arch - top) / np.maximum(edge - top, 1e-6)
        skin = (depth < edge) & (depth > top) & (arch > 0)
        back = np.where(skin, stretched - depth, 0.0)[..., None] * self._axes[1]
        drawn = crop.copy()
        # the stubs do not know that the second map may be missing
        drawn[low[1] : high[1], low[0] : high[0]] = cv2.remap(  # type: ignore[call-overload]
            crop, (pixels + back).astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return drawn

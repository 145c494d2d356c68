"""Paint for one patch of a picture: strokes on a soft dark halo, laid over the picture once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.palette import Colour
from startrack.tracker.types import FloatArray, ImageArray

HALO: Colour = (0, 0, 0)
HALO_OPACITY = 100
LINE_OPACITY = 205
SUBPIXEL_BITS = 4
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Brush:
    """Colour and opacity of one patch of the picture, painted in frame coordinates; blend lays them over the picture.

    Opacities of overlapping strokes do not add up: the later stroke wins. Thin strokes are painted at twice the size,
    as OpenCV knows whole line widths only.
    """

    def __init__(self, patch: ImageArray, corner: tuple[int, int], *, fine: bool) -> None:
        self._patch = patch
        self._corner = np.array(corner, np.float64)
        self._zoom = 2 if fine else 1
        size = (patch.shape[0] * self._zoom, patch.shape[1] * self._zoom)
        self._colour = np.zeros((*size, 3), np.uint8)
        self._opacity = np.zeros(size, np.uint8)

    def halo(self, curves: list[FloatArray], *, width: float) -> None:
        """The shadow under curves of that width; black, as the empty patch is already."""
        whole = round((width + 2.4 * max(width, 1.0)) * self._zoom)
        paths = [self._subpixels(curve) for curve in curves]
        cv2.polylines(self._opacity, paths, False, (HALO_OPACITY,), whole, cv2.LINE_AA, SUBPIXEL_BITS)

    def lines(self, curves: list[FloatArray], *, width: float, colour: Colour, opacity: int = LINE_OPACITY) -> None:
        """Curves of (N, 2) points each; width in frame pixels."""
        whole = max(1, round(width * self._zoom))
        paths = [self._subpixels(curve) for curve in curves]
        cv2.polylines(self._colour, paths, False, colour, whole, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.polylines(self._opacity, paths, False, (opacity,), whole, cv2.LINE_AA, SUBPIXEL_BITS)

    def polygon(self, outline: FloatArray, *, colour: Colour, opacity: int) -> None:
        """The inside of (N, 2) points."""
        path = self._subpixels(outline)
        cv2.fillPoly(self._colour, [path], colour, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.fillPoly(self._opacity, [path], (opacity,), cv2.LINE_AA, SUBPIXEL_BITS)

    def dots(self, points: FloatArray, *, radius: float, colour: Colour, opacity: list[int]) -> None:
        """Filled circles around (N, 2) points, each with its own opacity."""
        size = round(radius * self._zoom * (1 << SUBPIXEL_BITS))
        for centre, alpha in zip(self._subpixels(points).tolist(), opacity, strict=True):
            cv2.circle(self._colour, centre, size, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
            cv2.circle(self._opacity, centre, size, (alpha,), -1, cv2.LINE_AA, SUBPIXEL_BITS)

    def text(self, words: str, lower_left: FloatArray, *, scale: float, colour: Colour) -> None:
        """One line of text."""
        x, y = (int(value) >> SUBPIXEL_BITS for value in self._subpixels(lower_left))
        cv2.putText(self._colour, words, (x, y), FONT, scale * self._zoom, colour, self._zoom, cv2.LINE_AA)

    def blend(self) -> None:
        """Lay the paint over the picture."""
        height, width = self._patch.shape[:2]
        colour, opacity = self._colour, self._opacity
        if self._zoom > 1:
            colour = np.asarray(cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            opacity = np.asarray(cv2.resize(opacity, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        weight = opacity.astype(np.float32) / 255
        self._patch[:] = cv2.blendLinear(colour, self._patch, weight, 1 - weight)

    def _subpixels(self, points: FloatArray) -> NDArray[np.int32]:
        """Frame coordinates → the patch's fixed-point ones; far-off points are kept within their range."""
        inside = np.clip((points - self._corner + 0.5) * self._zoom - 0.5, -16384, 16384)
        return np.rint(inside * (1 << SUBPIXEL_BITS)).astype(np.int32)

"""Hard cuts: which scene a frame shows, another one than the frame before, or an earlier one again."""

# h w rows and columns of a thumbnail

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray

THUMBNAIL = (32, 18)
"""Width and height of the grey picture that is compared: small enough that moving people hardly change it."""
BLACK = 24
"""Grey level up to which a border is black, compression's noise included."""
ALIKE = 0.8
"""Correlation of two scenes of like composition, at most."""
OTHER_LEVELS = 10.0
"""Difference of their sorted grey levels: of fast motion at 30 frames a second up to 3, across cuts 7 to 60."""
UNCHANGED = 6.0
"""Grey levels by which at least three quarters of the picture change across a cut."""
LEAST_INSIDE = 4
"""Rows and columns that are compared at least, however much of the picture is black."""


@dataclass(frozen=True, slots=True, eq=False)
class _Left:
    """A scene that was cut away from."""

    number: int
    last: ImageArray
    """(h, w) its last thumbnail."""


class CutDetector:
    """Numbers the scenes of a video: compares each frame's thumbnail with the one before; about 0.05 ms a frame,
    whatever its size.

    A cut is where the two hardly correlate and differ much: a light that is switched on keeps the correlation, a camera
    that shakes keeps the difference small. Two scenes may correlate where a face is bright in the middle of both; then
    their grey levels themselves are others, which a fast motion hardly changes. Black bars at the picture's edges, in
    both frames, do not count: they are the same on both sides of every cut. A frame that continues a scene left a few
    cuts ago shows that scene again, with its number: a white flash, or an inserted picture, does not part it.
    """

    def __init__(self, *, max_correlation: float = 0.5, min_difference: float = 12.0, remembered: int = 3) -> None:
        """min_difference: mean absolute difference in grey levels. remembered: scenes that may be shown again."""
        self._max_correlation = max_correlation
        self._min_difference = min_difference
        self._remembered = remembered
        self._before: ImageArray | None = None
        self._left: list[_Left] = []
        self._scene = self._scenes = 0

    @property
    def thumbnail(self) -> ImageArray:
        """(18, 32) grey levels of the last frame; there must have been one."""
        assert self._before is not None
        return self._before

    def __call__(self, image: ImageArray) -> int:
        """Number of the scene that (H, W, 3) `image` shows, 0 for the first; a number that was there before for a
        scene that is shown again."""
        now = _thumbnail(image)
        before, self._before = self._before, now
        if before is None or not self._is_cut(before, now):
            return self._scene
        again = next((left for left in reversed(self._left) if not self._is_cut(left.last, now)), None)
        self._left = [left for left in self._left if left is not again][-(self._remembered - 1) :]
        self._left.append(_Left(self._scene, before))
        if again is None:
            self._scenes += 1
        self._scene = self._scenes if again is None else again.number
        return self._scene

    def _is_cut(self, first: ImageArray, second: ImageArray) -> bool:
        brighter = cv2.max(first, second)
        lit = cv2.countNonZero(cv2.threshold(brighter, BLACK, 1, cv2.THRESH_BINARY)[1])
        # what lies between the bars holds all that is lit but one row or column at each edge, and all of the difference
        # at most: nearly every frame of a video ends here
        if cv2.norm(first, second, cv2.NORM_L1) <= self._min_difference * (lit - 2 * sum(first.shape)):
            return False
        inside = _inside_bars(np.asarray(brighter))
        first, second = first[inside], second[inside]
        difference = cv2.absdiff(first, second)
        if difference.mean() <= self._min_difference:
            return False
        correlation = _correlation(first, second)
        if not self._max_correlation <= correlation < ALIKE:
            return correlation < self._max_correlation
        # what has come into the picture, or left it, is not everywhere
        return _apart(first, second) > OTHER_LEVELS and float(np.quantile(difference, 0.25)) > UNCHANGED


def _thumbnail(image: ImageArray) -> ImageArray:
    """(18, 32) grey levels."""
    # two rows for each of the thumbnail's: averaging all of a 720p frame would cost ten times as much, and single
    # pixels all over it are fetched from memory no faster than whole rows
    rows = max(1, image.shape[0] // (2 * THUMBNAIL[1]))
    # grey first: averaging one channel costs a third of three
    grey = cv2.cvtColor(image[::rows], cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, THUMBNAIL, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _inside_bars(brighter_hw: ImageArray) -> tuple[slice, slice]:
    """Rows and columns between black bars at the edges of two pictures.

    brighter: the brighter pixel of each place, so that a flat white or black frame hides no bars and makes none.
    """
    rows = _lit_part(brighter_hw.max(axis=1) > BLACK)
    return rows, _lit_part(brighter_hw[rows].max(axis=0) > BLACK)


def _lit_part(lit_N: NDArray[np.bool_]) -> slice:
    """From the first to the last that is lit, less one half-lit at each end beyond a bar; all if hardly any are."""
    places = np.flatnonzero(lit_N)
    if not len(places):
        return slice(0, len(lit_N))
    first, last = int(places[0]), int(places[-1]) + 1
    # the bar's edge seldom lies between two rows of the thumbnail
    first, last = first + (first > 0), last - (last < len(lit_N))
    return slice(first, last) if last - first >= LEAST_INSIDE else slice(0, len(lit_N))


def _apart(first: ImageArray, second: ImageArray) -> float:
    """Mean absolute difference of two pictures' sorted grey levels: 0 where all that happens is that things move."""
    return float(np.abs(np.sort(first, axis=None) - np.sort(second, axis=None).astype(np.float64)).mean())


def _correlation(first: ImageArray, second: ImageArray) -> float:
    """Pearson's, 0 where a picture is flat."""
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norm if norm > 1e-6 else 0.0

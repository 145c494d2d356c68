"""Whatever a program holds a picture in → (H, W, 3) uint8 RGB, and pictures → frames; one clear error at the door."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from startrack.tracker.types import Frame, ImageArray
from startrack.tracker.video.base import SourceError

Colour = Literal["rgb", "bgr"]
"""Order of an array's channels; OpenCV's pictures are bgr."""
SMALLEST = 2
"""Pixels of a side."""


def rgb_picture(picture: Any, colour: Colour = "rgb") -> ImageArray:
    """(H, W, 3) uint8 RGB.

    picture: a uint8 array (H, W, 3), (H, W, 4) with opacity, or grey (H, W) or (H, W, 1); or a PIL image, which says
    its own colours. Raises SourceError with the value and the expected one.
    """
    check_colour(colour)
    if hasattr(picture, "convert") and hasattr(picture, "getbands"):
        picture, colour = np.asarray(picture.convert("RGB")), "rgb"
    if not isinstance(picture, np.ndarray):
        raise SourceError(f"a picture of type {type(picture).__name__}; expected a uint8 array or a PIL image")
    if picture.dtype != np.uint8:
        raise SourceError(f"a picture of {picture.dtype}; expected uint8, 0 to 255{_advice(picture.dtype)}")
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4):
        raise SourceError(f"a picture of shape {picture.shape}; expected (H, W, 3), (H, W, 4) or grey (H, W)")
    if min(picture.shape[:2]) < SMALLEST:
        raise SourceError(f"a picture of shape {picture.shape}; expected {SMALLEST} pixels or more each way")
    if picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    return np.ascontiguousarray(picture[..., 2::-1] if colour == "bgr" else picture[..., :3])


def check_colour(colour: str) -> None:
    """Raise SourceError unless it is a Colour."""
    if colour not in ("rgb", "bgr"):
        raise SourceError(f"colour {colour!r}; expected 'rgb' or 'bgr'")


def _advice(dtype: np.dtype[Any]) -> str:
    if np.issubdtype(dtype, np.floating):
        return "; multiply a picture of 0 to 1 by 255 and use astype(numpy.uint8)"
    return "; divide one of 16 bits by 257 and use astype(numpy.uint8)" if dtype == np.uint16 else ""


def later_time(time_s: Any, last_s: float | None) -> float:
    """A frame's time in seconds. Raises SourceError unless it is a finite number after the last frame's."""
    try:
        seconds = float(time_s)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"time_s {time_s!r}; expected seconds, or None for the clock") from error
    if not math.isfinite(seconds):
        raise SourceError(f"time_s {seconds}; expected a finite number of seconds")
    if last_s is not None and seconds <= last_s:
        raise SourceError(f"time_s {seconds:g} after {last_s:g}; expected times that grow")
    return seconds


def frames_of(pictures: Iterable[Any], *, fps: float, colour: Colour) -> Iterator[Frame]:
    """Frames and pictures as frames: Frames as they are, of the others each 1 / fps after the one before it."""
    if not (math.isfinite(fps) and fps > 0):
        raise SourceError(f"fps {fps}; expected a number above 0")
    for index, item in enumerate(pictures):
        yield item if isinstance(item, Frame) else Frame(rgb_picture(item, colour), index, index / fps)

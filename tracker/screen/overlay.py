"""TrackedFrame → picture: each face's curves, landmarks, frame and number, in a colour of its own.

Strokes lie on a soft dark halo, which keeps them legible on light skin and dark hair. Each face is painted on
a patch of its own size and laid over the picture once, so the cost follows the faces: on a 720p frame, one thread,
0.2 ms for the copy and 1.7 ms for a face of 100 px, 2.9 ms for one of 280 px (4.6 ms during a training on the other
core); ellipses add 2 to 7 ms a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.palette import Colour, colour_of
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.screen.brush import FONT, HALO, Brush
from startrack.tracker.screen.eyes import paint_eyes
from startrack.tracker.types import FloatArray, ImageArray, Track, TrackedFrame

ELLIPSE_OPACITY = 90
ELLIPSE_SIGMAS = 1.5
"""Half-axes of the uncertainty ellipses in standard deviations: two thirds of a normal spread lie inside."""
CURVE_STEPS = 4
"""Straight pieces between two landmarks of a curve."""
UNIT_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 25)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 25)[:-1])])


class Overlay:
    """Draws each frame once, however many outputs show it."""

    def __init__(self, scheme: LandmarkScheme, *, ellipses: bool = False) -> None:
        """ellipses: show each landmark's uncertainty."""
        self._scheme = scheme
        self._ellipses = ellipses
        self._newest: tuple[TrackedFrame, ImageArray] | None = None

    def __call__(self, tracked: TrackedFrame) -> ImageArray:
        """(H, W, 3) uint8 RGB; the same array when asked again for the same frame."""
        if self._newest is None or self._newest[0] is not tracked:
            self._newest = tracked, draw_overlay(tracked, self._scheme, ellipses=self._ellipses)
        return self._newest[1]


def draw_overlay(
    tracked: TrackedFrame,
    scheme: LandmarkScheme,
    *,
    image: ImageArray | None = None,
    box: bool = True,
    ids: bool = True,
    ellipses: bool = False,
) -> ImageArray:
    """A new (H, W, 3) uint8 RGB picture: the frame with every track painted on it.

    image: in place of the frame's own picture, of the same size. box: corner marks around each face. ids: its number.
    ellipses: the 1.5 sigma uncertainty of each landmark.
    Raises ValueError when a track's landmarks are not numbered as `scheme` says.
    """
    image = (tracked.frame.image if image is None else image).copy()
    for track in tracked.tracks:
        if len(track.landmarks.points) != scheme.num_landmarks:
            count = len(track.landmarks.points)
            raise ValueError(f"track {track.id}: {count} landmarks, but {scheme.name} has {scheme.num_landmarks}")
        style = _style(track, image)
        brush = _brush_over(image, track, style)
        if brush is None:
            continue
        if ellipses:
            _paint_ellipses(brush, track, style)
        _paint_face(brush, track, scheme, style)
        if track.eyes is not None:
            paint_eyes(brush, track.eyes, track.box, width=style.line, colour=style.light)
        if box:
            _paint_corners(brush, track, style)
        if ids:
            _paint_id(brush, track, style)
        brush.blend()
    return image


@dataclass(frozen=True)
class _Style:
    """Colours and measures of one face, frame pixels."""

    colour: Colour
    light: Colour
    line: float
    dot_radius: float
    letter_height: float
    gap: float
    """From the landmarks to the corner marks."""


def _style(track: Track, image: ImageArray) -> _Style:
    # a track gone astray may be of any size; lines have limits
    face = float(np.clip((track.box[2:] - track.box[:2]).max(), 1, 2 * max(image.shape[:2])))
    picture = min(image.shape[:2]) / 720
    red, green, blue = colour = colour_of(track.id)
    return _Style(
        colour=colour,
        light=(red * 3 // 10 + 178, green * 3 // 10 + 178, blue * 3 // 10 + 178),
        line=max(face / 190, 0.8 * picture, 0.7),
        dot_radius=max(face / 130, 0.8 * picture, 0.8),
        letter_height=float(np.clip(face / 18, 10 * picture, 18 * picture)),
        gap=0.09 * face,
    )


def _brush_over(image: ImageArray, track: Track, style: _Style) -> Brush | None:
    """A brush for the part of the picture that this face's paint may touch; None if it lies outside."""
    height, width = image.shape[:2]
    margin = style.gap + 3 * style.line + 4
    extent = track.box + np.array([-margin, -margin - 2.2 * style.letter_height, margin, margin])
    extent[2] = max(extent[2], extent[0] + 8 * style.letter_height)
    if not np.isfinite(extent).all():
        return None
    left, top, right, bottom = (int(value) for value in np.clip(extent, 0, [width, height, width, height]))
    if right - left < 2 or bottom - top < 2:
        return None
    return Brush(image[top:bottom, left:right], (left, top), fine=style.line < 2.2)


def _paint_face(brush: Brush, track: Track, scheme: LandmarkScheme, style: _Style) -> None:
    points = track.landmarks.points
    curves: list[FloatArray] = [
        curve_weights(len(edge.indices), edge.closed) @ points[list(edge.indices)] for edge in scheme.edges
    ]
    brush.halo(curves, width=style.line)
    brush.lines(curves, width=style.line, colour=style.colour)
    # an unsure landmark fades
    opacity = [int(value) for value in 90 + 165 * np.clip(track.landmarks.score, 0, 1)]
    # of points without lines the dots are all that there is to see
    radius = style.dot_radius if curves else 3 * style.dot_radius
    brush.dots(points, radius=radius, colour=style.light, opacity=opacity)


def _paint_ellipses(brush: Brush, track: Track, style: _Style) -> None:
    values, vectors = np.linalg.eigh(track.landmarks.covariance)
    half_axes = vectors * np.sqrt(values.clip(0))[:, None, :] * ELLIPSE_SIGMAS
    outlines: list[FloatArray] = list(track.landmarks.points[:, None] + (half_axes @ UNIT_CIRCLE).transpose(0, 2, 1))
    for outline in outlines:
        brush.polygon(outline, colour=style.colour, opacity=ELLIPSE_OPACITY)
    rims: list[FloatArray] = [np.concatenate([outline, outline[:1]]) for outline in outlines]
    brush.lines(rims, width=0.6 * style.line, colour=style.colour)


def _paint_corners(brush: Brush, track: Track, style: _Style) -> None:
    """Four rounded corner marks a little outside the landmarks."""
    low, high = track.box[:2] - style.gap, track.box[2:] + style.gap
    arm = 0.16 * float((high - low).max())
    bend = 0.3 * arm
    turn = np.linspace(0, np.pi / 2, 7)
    arc = bend * (1 - np.stack([np.sin(turn), np.cos(turn)], axis=1))
    mark = np.concatenate([[[arm, 0.0]], arc, [[0.0, arm]]])
    marks: list[FloatArray] = [
        np.where(np.array(at) == 0, low + mark, high - mark) for at in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    brush.halo(marks, width=1.5 * style.line)
    brush.lines(marks, width=1.5 * style.line, colour=style.colour)


def _paint_id(brush: Brush, track: Track, style: _Style) -> None:
    """The face's number on a rounded tag above its upper left corner."""
    words = str(track.id)
    width, height = _text_size(words)
    scale = style.letter_height / height
    tag_height = 1.7 * style.letter_height
    tag_width = max(width * scale + 0.9 * style.letter_height, tag_height)
    left, bottom = track.box[0] - style.gap, max(track.box[1] - style.gap - 2.5 * style.line, tag_height + 1)
    radius = tag_height / 2
    ends: list[FloatArray] = [
        np.array([[left + radius, bottom - radius], [max(left + tag_width - radius, left + radius), bottom - radius]])
    ]
    brush.lines(ends, width=tag_height, colour=style.colour, opacity=240)
    start = np.array([left + (tag_width - width * scale) / 2, bottom - (tag_height - style.letter_height) / 2])
    brush.text(words, start, scale=scale, colour=HALO)


@lru_cache(maxsize=256)
def _text_size(words: str) -> tuple[int, int]:
    """Width and height of a line of text at scale 1."""
    (width, height), _ = cv2.getTextSize(words, FONT, 1.0, 1)
    return width, height


@lru_cache(maxsize=64)
def curve_weights(count: int, closed: bool) -> NDArray[np.float64]:
    """(M, count) weights of a Catmull-Rom curve: times (count, 2) points it gives (M, 2) points on the curve, which
    runs through each of them; a closed curve ends where it begins."""
    segments = count if closed else count - 1
    parameter = np.arange(segments * CURVE_STEPS + 1) / CURVE_STEPS
    start = np.minimum(parameter.astype(int), segments - 1)
    t = parameter - start
    basis = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1
    )
    weights = np.zeros((len(t), count))
    for step in range(4):
        index = start + step - 1
        index = index % count if closed else index.clip(0, count - 1)
        np.add.at(weights, (np.arange(len(t)), index), basis[:, step])
    return weights

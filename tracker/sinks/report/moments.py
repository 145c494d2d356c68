"""Small pictures of a run: the whole frame now and then, and each face where something happens, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from startrack.tracker.crop import crop_affine, cut_crop, transform_points
from startrack.tracker.palette import colour_of
from startrack.tracker.types import ImageArray, Roi, Track, TrackedFrame

FACE_SIZE = 128
"""Side of the picture of a face, pixels."""
FRAME_WIDTH = 192
AROUND = 1.7
"""Side of the region shown, in longer sides of the face's box."""
MOST_FRAMES = 16
"""Pictures of whole frames at the end, at equal distances; twice as many while the run goes on."""
FIRST_EVERY_S = 0.4
"""Seconds between two of them at first."""
MOST_MOMENTS = 160
EXTREMES = (
    ("turned to the picture's left", "yaw", 1, 20.0, 5.0),
    ("turned to the picture's right", "yaw", -1, 20.0, 5.0),
    ("looks down", "pitch", 1, 20.0, 5.0),
    ("looks up", "pitch", -1, 20.0, 5.0),
    ("mouth wide open", "mouth", 1, 0.7, 0.1),
    ("eyes shut", "eyes", -1, -0.35, 0.1),
    ("least certain", "certainty", -1, -0.55, 0.1),
)
"""Words, value, sign, from which signed value on it counts, and by how much a later one must exceed it."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One picture of a face and its reason."""

    time_s: float
    """Seconds since the first frame."""
    what: str
    image: ImageArray
    """(FACE_SIZE, FACE_SIZE, 3) RGB."""


class Moments:
    """Keeps the first and last sight of each face, its extremes, and frames at equal distances."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, ImageArray]] = []
        """Seconds since the first frame, (H, FRAME_WIDTH, 3) RGB."""
        self.faces: dict[int, dict[str, Moment]] = {}
        """Id → words → moment."""
        self._best: dict[int, list[float]] = {}
        self._every_s = FIRST_EVERY_S
        self._seen: dict[int, int] = {}
        self._last: tuple[TrackedFrame, float] | None = None

    def add(self, tracked: TrackedFrame, time_s: float, values: dict[int, dict[str, float]]) -> None:
        """values: of each face by the names in EXTREMES; NaN counts as none."""
        self._add_frame(tracked, time_s)
        for track in tracked.tracks:
            if track.id not in self._seen:
                self._keep(track, tracked, time_s, "first seen")
                self._best[track.id] = [start - margin for *_, start, margin in EXTREMES]
            self._seen[track.id] = self._seen.get(track.id, 0) + 1
            self._add_extremes(track, tracked, time_s, values[track.id])
        self._add_lost(tracked)
        self._last = tracked, time_s

    def _add_extremes(self, track: Track, tracked: TrackedFrame, time_s: float, values: dict[str, float]) -> None:
        best = self._best.get(track.id)
        if best is None:
            return
        for number, (what, name, sign, _, margin) in enumerate(EXTREMES):
            value = sign * values[name]
            if value >= best[number] + margin:
                best[number] = value
                self._keep(track, tracked, time_s, what)

    def _add_lost(self, tracked: TrackedFrame) -> None:
        if self._last is None:
            return
        before, time_s = self._last
        here = {track.id for track in tracked.tracks}
        for track in before.tracks:
            if track.id not in here:
                self._keep(track, before, time_s, "last seen")

    def _keep(self, track: Track, tracked: TrackedFrame, time_s: float, what: str) -> None:
        self.faces.setdefault(track.id, {})[what] = Moment(time_s, what, face_picture(track, tracked.frame.image))
        if sum(len(moments) for moments in self.faces.values()) > MOST_MOMENTS:
            # the face seen for the shortest time goes; the one just kept stays
            others = [face for face in self.faces if face != track.id]
            short = min(others, key=lambda face: self._seen.get(face, 0), default=None)
            if short is not None:
                del self.faces[short]
                self._best.pop(short, None)

    def _add_frame(self, tracked: TrackedFrame, time_s: float) -> None:
        if self.frames and time_s < self.frames[-1][0] + self._every_s:
            return
        image = tracked.frame.image
        height = max(1, round(image.shape[0] * FRAME_WIDTH / image.shape[1]))
        # averaging all pixels of a large frame would take longer than reading its faces
        skip = max(image.shape[1] // (2 * FRAME_WIDTH), 1)
        size = (FRAME_WIDTH, min(height, 4 * FRAME_WIDTH))
        small = cv2.resize(np.ascontiguousarray(image[::skip, ::skip]), size, interpolation=cv2.INTER_AREA)
        self.frames.append((time_s, np.asarray(small, np.uint8)))
        if len(self.frames) >= 2 * MOST_FRAMES:
            self.frames = self.frames[::2]
            self._every_s = (self.frames[-1][0] - self.frames[0][0]) / (len(self.frames) - 1)

    def finish(self) -> None:
        """No frame comes any more: the faces that are still there were last seen in the last one."""
        if self._last is not None:
            tracked, time_s = self._last
            for track in tracked.tracks:
                self._keep(track, tracked, time_s, "last seen")
            self._last = None
        if len(self.frames) > MOST_FRAMES:
            kept = np.linspace(0, len(self.frames) - 1, MOST_FRAMES).round().astype(int)
            self.frames = [self.frames[number] for number in kept]


def face_picture(track: Track, image: ImageArray) -> ImageArray:
    """(FACE_SIZE, FACE_SIZE, 3) RGB: the face with its landmarks as dots of its colour."""
    low, high = np.asarray(track.box[:2], np.float64), np.asarray(track.box[2:], np.float64)
    affine = crop_affine(Roi((low + high) / 2, max(float((high - low).max()) * AROUND, 2.0)), FACE_SIZE)
    picture = np.ascontiguousarray(cut_crop(image, affine, FACE_SIZE))
    points = np.clip(transform_points(affine, track.landmarks.points), -FACE_SIZE, 2 * FACE_SIZE)
    if np.isfinite(points).all():
        for x, y in np.rint(points).astype(int).tolist():
            cv2.circle(picture, (x, y), 1, colour_of(track.id), -1, cv2.LINE_AA)
    return picture

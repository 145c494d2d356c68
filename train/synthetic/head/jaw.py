"""300W's convention for the 17 points of the outline: on a turned head the far side's slide along the cheek."""

# J slices of the face, S places of a slice, T steps from the front to the side

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.geometry.rays import Anchors, hit_anchors, nearest_anchors
from startrack.train.synthetic.head.contours import along, below
from startrack.train.synthetic.head.head_model import HeadModel
from startrack.train.synthetic.head.markup import RIGHT_JAW_VERTICES, face_triangles

SLICED = (0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16)
"""Points of the outline that slide; the chin's three stay where they are."""
SLICE_PLACES = 32
SIDE_STEPS = 9
AXIS_DEPTH_CM = 3.7
"""How far behind a point its slice's centre lies."""
FRONT_DEGREES = 20.0
"""Where a slice begins, beside the nose and the mouth."""
FULL_SIDE_DEGREES = 40.0
"""Turn from which the near side's points lie on the jaw's edge."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Places on the skin that the outline's points can take."""

    slices: Anchors
    """(J · S) each slid point's height of the face, from beside the nose to the point's own place."""
    sides: Anchors
    """(17 · T) the way of each point from its frontal place to the jaw's edge."""


def make_outline(head: HeadModel, landmarks: Anchors) -> Outline:
    """The slices and ways of the mean head; they move with identity and expression."""
    skin, own = face_triangles(head), landmarks.places(head.neutral)[:17]
    origins, directions = (np.concatenate(rays) for rays in zip(*(_slice(own[i]) for i in SLICED), strict=True))
    slices, distance = hit_anchors(origins, directions, head.neutral, skin)
    slices = slices.chosen(_reached(np.isfinite(distance).reshape(len(SLICED), SLICE_PLACES)))
    edge = _jaw_edge(head, own)
    share = np.linspace(0, 1, SIDE_STEPS, dtype=np.float32)[None, :, None]
    way = own[:, None] * (1 - share) + edge[:, None] * share
    return Outline(slices, nearest_anchors(way.reshape(-1, 3), head.neutral, skin))


def _jaw_edge(head: HeadModel, own: Floats) -> Floats:
    """(17, 3) where the points lie on a near side that is turned fully: at equal distances along the jaw's edge, from
    before the ear, at the height of the outline's first point, to the chin, whose three stay where they are."""
    right = head.neutral[[head.number[vertex] for vertex in RIGHT_JAW_VERTICES]]
    line = below(np.concatenate([right, own[7:8]]), float(own[0, 1]))
    edge = own.copy()
    edge[:8] = along(line, np.linspace(0, 1, 8), in_space=True)
    edge[:8:-1] = edge[:8] * np.array((-1, 1, 1), np.float32)
    return edge


def _slice(place: Floats) -> tuple[Floats, Floats]:
    """Rays from outside towards the axis behind a point, at its height, from the front to the point."""
    side, centre = np.sign(place[0]), np.array([0, place[1], place[2] - AXIS_DEPTH_CM])
    last = np.arctan2(abs(place[0]), AXIS_DEPTH_CM)
    angle = np.linspace(np.deg2rad(FRONT_DEGREES), last, SLICE_PLACES)
    outwards = np.stack([side * np.sin(angle), np.zeros_like(angle), np.cos(angle)], 1)
    return (centre + 30 * outwards).astype(np.float32), (-outwards).astype(np.float32)


def _reached(hit: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(J · S) number of each ray, or where it passes below the chin that of the next ray of its slice that does not."""
    rows = np.arange(SLICE_PLACES)
    nearest = [rows[row][np.abs(rows[row][None] - rows[:, None]).argmin(1)] for row in hit]
    return np.concatenate([number * SLICE_PLACES + row for number, row in enumerate(nearest)])


def slide_outline(
    outline: Outline, vertices: Floats, project: NDArray[np.floating], turn_deg: float, up: NDArray[np.floating]
) -> Floats:
    """(17, 3) places of the outline's points in the camera's frame.

    vertices: (V, 3) the posed head in the camera's frame, cm: x to the right, y down, z away from it. project: (2,)
    focal length of x and y, px. turn_deg: angle of the camera from the face's front, positive on the subject's left.
    up: (2,) the head's upward direction in the picture.
    """
    sides = outline.sides.places(vertices).reshape(17, SIDE_STEPS, 3)
    places = sides[:, 0].copy()
    to_left = np.array([-up[1], up[0]]) / np.hypot(*up)  # the head's x axis in the picture, y down
    slices = outline.slices.places(vertices).reshape(len(SLICED), SLICE_PLACES, 3)
    for row, point in enumerate(SLICED):
        outwards = to_left if point > 8 else -to_left
        candidates = slices[row]
        reach = (candidates[:, :2] / candidates[:, 2:] * project) @ outwards
        own = (places[point, :2] / places[point, 2] * project) @ outwards
        if reach.max() > own:
            places[point] = _along(candidates, _peak(reach))
    for point in range(17):
        towards = -turn_deg if point < 8 else turn_deg
        share = float(np.clip(towards / FULL_SIDE_DEGREES, 0, 1))
        slid = places[point] - sides[point, 0]
        places[point] = _along(sides[point], share * (SIDE_STEPS - 1)) + np.float32(1 - share) * slid
    return places


def _along(path: Floats, place: float) -> Floats:
    """The place of a polyline (S, 3) at a fractional index."""
    first = min(int(place), len(path) - 2)
    share = np.float32(place - first)
    result: Floats = path[first] * (1 - share) + path[first + 1] * share
    return result


def _peak(values: NDArray[np.floating]) -> float:
    """Fractional index of the largest value, by a parabola through it and its neighbours."""
    best = int(values.argmax())
    if not 0 < best < len(values) - 1:
        return float(best)
    before, at, after = values[best - 1 : best + 2]
    bend = before - 2 * at + after
    return best + float(0.5 * (before - after) / bend) if bend < 0 else float(best)

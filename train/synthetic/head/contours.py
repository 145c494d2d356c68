"""Lines on the mean head that landmarks lie along: the face's outline from the front, brows' ridges, polylines."""

# A angles around the face, P places along a profile

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from startrack.train.synthetic.geometry.mesh import Floats, Indices, vertex_normals
from startrack.train.synthetic.geometry.rays import hit_anchors

OUTLINE_SLOPE_DEGREES = 78.0
"""The outline from the front is where the skin has turned so far away from the camera."""
OUTLINE_AXIS = (0.0, -1.2, 4.0)
"""A place inside the head, behind the nose's lower end, that the outline is searched from, cm."""
OUTLINE_NEAREST_CM = 4.6, 5.5
"""Distance from that axis, to the side and downwards, within which lips and nose are passed over."""
PROFILE_STEP_CM = 0.04
RIDGE_WIDTH_CM = 0.25
"""Sigma that a profile is smoothed by before its bend is taken."""
RIGHT_HALF_CM = 0.5
ABOVE = 30.0
"""Distance that rays start from, cm."""


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """The mean head's skin. x is to the subject's left, y up, z forwards."""

    vertices: Floats
    """(V, 3) cm."""
    triangles: Indices
    """(F, 3) of the face."""
    normals: Floats
    """(V, 3)"""

    @classmethod
    def of(cls, vertices: Floats, triangles: Indices) -> Skin:
        """The subject's right half, and a little of the left."""
        right = (vertices[triangles, 0] < RIGHT_HALF_CM).any(1)
        return cls(vertices, triangles[right], vertex_normals(vertices, triangles))

    def slopes(self, origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
        """Where rays meet the skin, (P, 3), NaN where they do not, and the angle there to the front, (P,) degrees."""
        anchors, distance = hit_anchors(origins, directions, self.vertices, self.triangles)
        met = np.isfinite(distance)
        places = np.full(origins.shape, np.nan, np.float32)
        places[met] = origins[met] + directions[met] * distance[met, None]
        normals = anchors.places(self.normals)
        length = np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
        return places, np.degrees(np.arccos(np.clip(normals[:, 2] / length, -1, 1)))


def along(line: NDArray[np.floating], shares: NDArray[np.floating], *, in_space: bool = False) -> Floats:
    """(M, 3) places of a polyline (P, 3) at shares, 0 to 1, of its length in the picture from the front or in space."""
    steps = np.linalg.norm(np.diff(line if in_space else line[:, :2], axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.asarray(shares) * length[-1]
    return np.stack([np.interp(wanted, length, line[:, axis]) for axis in range(3)], 1).astype(np.float32)


def below(line: NDArray[np.floating], top_cm: float) -> Floats:
    """(P', 3) the part of a polyline (P, 3) that leads downwards, from the height `top_cm` on."""
    begin = max(int(np.flatnonzero(line[:, 1] < top_cm)[0]) - 1, 0)
    before, after = line[begin], line[begin + 1]
    share = np.clip((before[1] - top_cm) / max(before[1] - after[1], 1e-6), 0, 1)
    return np.concatenate([[before + share * (after - before)], line[begin + 1 :]]).astype(np.float32)


def front_outline(skin: Skin, top_cm: float) -> Floats:
    """(A, 3) the subject's right half of the outline seen from the front, from the height `top_cm` to the chin.

    On each ray from the nose's lower end outwards, the first place beyond the lips where the skin has turned
    OUTLINE_SLOPE_DEGREES away from the front.
    """
    axis = np.array(OUTLINE_AXIS)
    turn = np.radians(np.arange(20.0, 110.0, 1.5))
    found = []
    for around in np.arange(0.0, 126.0, 3.0):
        outwards = np.array([-np.sin(np.radians(around)), -np.cos(np.radians(around)), 0.0])
        towards = np.cos(turn)[:, None] * np.array([0.0, 0.0, 1.0]) + np.sin(turn)[:, None] * outwards
        places, slope = skin.slopes((axis + ABOVE * towards).astype(np.float32), -towards.astype(np.float32))
        nearest = OUTLINE_NEAREST_CM[0 if around > 40 else 1]
        steep = np.flatnonzero(((places - axis) @ outwards > nearest) & (slope > OUTLINE_SLOPE_DEGREES))
        if len(steep):
            found.append(places[steep[0]])
    line = np.array(found)[::-1]
    line[-1, 0] = 0.0
    return below(line, top_cm)


def ridge(skin: Skin, x_cm: float, low_cm: float, high_cm: float) -> Floats:
    """(3,) the place at a distance from the middle where the profile from below upwards bends over most."""
    heights = np.arange(low_cm - 1, high_cm + 1, PROFILE_STEP_CM)
    origins = np.stack([np.full_like(heights, x_cm), heights, np.full_like(heights, ABOVE)], 1).astype(np.float32)
    places, _ = skin.slopes(origins, np.tile(np.array([0, 0, -1], np.float32), (len(heights), 1)))
    depth = gaussian_filter1d(places[:, 2].astype(np.float64), RIDGE_WIDTH_CM / PROFILE_STEP_CM)
    first = np.gradient(depth, heights)
    bend = np.gradient(first, heights) / (1 + first**2) ** 1.5
    inside = (heights > low_cm) & (heights < high_cm) & np.isfinite(bend)
    result: Floats = places[np.where(inside, bend, np.inf).argmin()]
    return result

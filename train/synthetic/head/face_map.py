"""Fields on the mean head that skin, brows and beards are painted by: where lips, brows and a beard lie."""

# N places on the mean head, cm: x to the subject's left, y up, z out of the face

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.geometry.noise import bump, smooth_step

FRONT_CM = 2.0
"""Depth in front of which the face lies."""
BEARD_TOP = ((0.0, 1.5, 2.6, 3.6, 5.0, 6.4, 7.1, 7.8), (-4.95, -4.95, -4.6, -4.1, -2.9, -0.7, 1.8, 3.4))
"""Upper edge of a full beard by distance from the middle, from below the lip to the sideburns."""
MOUSTACHE = ((0.0, 0.6, 1.6, 2.7, 3.3), (-1.55, -1.6, -1.75, -2.7, -4.4))
"""Upper edge of a moustache, from under the nose round the corners of the mouth."""

BROW_BELOW_CM = 0.25
"""How far below the landmarks a brow's middle lies: they run along the upper part of its hair."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceMap:
    """Curves through landmarks of the mean head, as heights by distance from the middle."""

    upper_lip: Floats
    """(2, P) distance |x| and height of the lips' outer edge."""
    lower_lip: Floats
    brow: Floats
    """(2, 5) the landmarks of a brow, from the nose outwards."""

    def lips(self, places: Floats) -> Floats:
        """(N,) 1 on the lips, 0 away from them."""
        away = np.abs(places[:, 0])
        top, bottom = np.interp(away, *self.upper_lip), np.interp(away, *self.lower_lip)
        inside = np.minimum(top - places[:, 1], places[:, 1] - bottom)
        side = smooth_step(self.upper_lip[0, -1] + 0.1, self.upper_lip[0, -1] - 0.2, away)
        return smooth_step(-0.06, 0.1, inside) * side * (places[:, 2] > 8.0)

    def brows(self, places: Floats, half_cm: float, lift_cm: float) -> Floats:
        """(N,) density of brows, 0 to 1. half_cm: half their height near the nose. lift_cm: how far above their place
        they lie."""
        away = np.abs(places[:, 0])
        middle = np.interp(away, *self.brow) + lift_cm - BROW_BELOW_CM
        outwards = np.clip((away - self.brow[0, 0]) / (self.brow[0, -1] - self.brow[0, 0]), 0, 1)
        half = half_cm * (1.0 - 0.72 * outwards**1.6)
        across = np.abs(places[:, 1] - middle) / np.maximum(half, 0.05)
        ends = smooth_step(self.brow[0, 0] - 0.25, self.brow[0, 0] + 0.5, away)
        ends = ends * smooth_step(self.brow[0, -1] + 0.45, self.brow[0, -1] - 0.5, away)
        return smooth_step(1.25, 0.45, across) * ends * (places[:, 2] > FRONT_CM)

    def beard(self, places: Floats, kind: str) -> Floats:
        """(N,) density of a beard, 0 to 1. kind: one of BEARD_KINDS."""
        away, height = np.abs(places[:, 0]), places[:, 1]
        edge = np.interp(away, *BEARD_TOP)
        jaw = smooth_step(0.25, -0.55, height - edge) * smooth_step(-10.8, -8.6, height - 0.25 * (places[:, 2] - 8))
        jaw = jaw * smooth_step(-1.5, 1.0, places[:, 2])
        top = np.interp(away, *MOUSTACHE)
        lip = smooth_step(0.1, -0.25, height - top) * smooth_step(-5.6, -4.6, height) * smooth_step(3.5, 2.9, away)
        chin = smooth_step(2.6, 1.3, np.hypot(away, 0.55 * (height + 6.4))) * smooth_step(0.2, -0.4, height - edge)
        corner = bump(away, 2.9, 0.5) * bump(height, -4.6, 1.3)
        sideburn = smooth_step(5.6, 6.8, away) * smooth_step(-3.5, -1.5, height)
        fields = {
            "full": np.maximum(jaw, lip),
            "stubble": np.maximum(jaw, lip),
            "goatee": np.maximum(np.maximum(chin, lip), corner),
            "chin": chin,
            "moustache": lip,
            "strap": jaw * np.maximum(smooth_step(4.6, 5.6, away), smooth_step(-5.6, -6.6, height)),
            "sideburns": jaw * np.maximum(sideburn, smooth_step(4.2, 5.4, away) * smooth_step(-6.5, -4.5, height)),
        }
        front = places[:, 2] > -1.5
        result: Floats = (fields[kind] * front * (1 - self.lips(places))).astype(np.float32)
        return result


BEARD_KINDS = {
    "stubble": 0.42,
    "full": 0.25,
    "goatee": 0.11,
    "moustache": 0.09,
    "chin": 0.04,
    "strap": 0.05,
    "sideburns": 0.04,
}
"""Kind of beard → how often a bearded man has it."""


def make_face_map(landmarks: NDArray[np.floating]) -> FaceMap:
    """The curves of (68, 3) landmarks of the mean head, cm."""
    right = np.abs(landmarks[:, 0])

    def curve(points: tuple[int, ...]) -> Floats:
        chosen = sorted((float(right[p]), float(landmarks[p, 1])) for p in points)
        return np.array(chosen, np.float32).T.copy()

    return FaceMap(curve((51, 50, 49, 48)), curve((57, 58, 59, 48)), curve((21, 20, 19, 18, 17)))

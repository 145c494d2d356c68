"""Hands before and beside the face: palm, fingers and forearm as limbs that flow into each other."""

# V head vertices

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from startrack.train.synthetic.geometry.implicit import Limb, surface_of
from startrack.train.synthetic.geometry.mesh import make_mesh
from startrack.train.synthetic.geometry.noise import salt_of
from startrack.train.synthetic.surface.material import Plain
from startrack.train.synthetic.worn.wearer import Wearer

SHARE = 0.09
CELL_CM = 0.42
BLEND_CM = 0.45
FINGERS = ((-3.0, 7.6, 6.6, 0.78), (-1.0, 8.2, 7.6, 0.82), (1.0, 8.0, 7.2, 0.8), (2.9, 7.2, 5.6, 0.7))
"""Of each finger from the index on: where its knuckle is across and along the palm, its length and radius, cm."""
SEGMENTS = (0.45, 0.3, 0.25)


@dataclass(frozen=True, slots=True)
class Gesture:
    """Where a hand is and how it is bent."""

    landmark: int
    """That the palm's middle or the fingers are near."""
    offset_cm: tuple[float, float, float]
    """From there, for the right hand; x is mirrored for the left one."""
    lean_deg: tuple[float, float]
    """Angle of the fingers from upwards, towards the subject's left, least and most."""
    curl_deg: tuple[float, float]
    """Bend of each joint of the fingers, least and most."""
    towards_face: bool = True
    """Whether the palm faces the face."""
    touches: bool = True
    """Whether the hand is moved onto the face, instead of before it."""


GESTURES = {
    "over the mouth": Gesture(62, (-1.5, -3.5, 2.0), (20, 70), (5, 25)),
    "on the cheek": Gesture(3, (0.5, -4.0, 3.0), (-10, 30), (10, 35)),
    "on the chin": Gesture(8, (-1.5, -4.5, 2.0), (-10, 45), (50, 80)),
    "on the forehead": Gesture(19, (-2.0, 1.0, 2.0), (30, 80), (5, 25)),
    "at the ear": Gesture(1, (-1.0, -5.0, -1.0), (-15, 25), (15, 45)),
    "over the eyes": Gesture(27, (-2.0, -2.5, 2.5), (40, 90), (0, 20)),
    "waving": Gesture(3, (-9.0, 0.0, 8.0), (-25, 20), (0, 20), towards_face=False, touches=False),
    "before the face": Gesture(30, (-2.0, -5.0, 9.0), (-30, 40), (0, 60), towards_face=False, touches=False),
}


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Hold a hand to some faces; the gesture, empty without."""
    if rng.random() > SHARE:
        return ""
    kind = str(rng.choice(list(GESTURES)))
    gesture, left = GESTURES[kind], bool(rng.random() < 0.5)
    curl = rng.uniform(*gesture.curl_deg) + rng.normal(0, 4, len(FINGERS))
    vertices, faces = surface_of(hand_limbs(curl, float(rng.uniform(0.6, 1.4))), cell_cm=CELL_CM, blend_cm=BLEND_CM)
    size = rng.uniform(0.85, 1.1) * (1.0 if wearer.identity.age_years > 12 else 0.75)
    turned = (vertices * size) @ _frame(gesture, float(rng.uniform(*gesture.lean_deg))).T
    place = wearer.landmarks[gesture.landmark] + np.array(gesture.offset_cm) + rng.normal(0, 0.8, 3)
    if left:  # a right hand's mirror image, on the other side
        turned, faces = turned * np.array([-1, 1, 1]), faces[:, ::-1]
        twin = wearer.landmarks[gesture.landmark] * np.array([-1, 1, 1])
        place = twin + np.array(gesture.offset_cm) * np.array([-1, 1, 1]) + rng.normal(0, 0.8, 3)
    moved = _outside(wearer, turned + place) if gesture.touches else turned + place
    tone = wearer.skin_style.tone * (0.42 if wearer.skin_style.photos else 1.0)
    r, g, b = (float(v) for v in tone.clip(0.01, 0.9))
    skin = Plain(
        (r, g, b), roughness=0.55, gloss=0.5, mottle=0.09, mottle_cm=0.6, bumps=0.18, bump_cm=0.25, salt=salt_of(rng)
    )
    wearer.parts.add(make_mesh(moved, faces, wearer.parts.material(skin)))
    return kind


def hand_limbs(curl_deg: NDArray[np.float64], spread: float) -> list[Limb]:
    """A right hand's limbs: the wrist at 0, fingers along y, thumb towards -x, the palm looks along -z.

    curl_deg: (4,) bend of each joint of a finger, towards the palm. spread: 1 for fingers slightly apart.
    """
    limbs = [Limb(np.array([0, -16.0, 1.0]), np.array([0, 0.5, 0]), 3.6, 2.4)]  # forearm
    for bend, (across, along, length, radius) in zip(curl_deg, FINGERS, strict=True):
        knuckle = np.array([across, along, 0.25])
        limbs.append(Limb(np.array([across * 0.6, 1.0, 0]), knuckle, 1.55, 1.15))
        place, angle = knuckle, 0.0
        sideways = np.deg2rad(across * 2.2 * spread)
        for number, share in enumerate(SEGMENTS):
            angle += np.deg2rad(bend)
            direction = np.array([np.sin(sideways) * np.cos(angle), np.cos(sideways) * np.cos(angle), -np.sin(angle)])
            end = place + direction * length * share
            limbs.append(Limb(place, end, radius * (1 - 0.08 * number), radius * (0.9 - 0.1 * number)))
            place = end
    thumb = [
        np.array([-1.8, 1.8, -0.3]),
        np.array([-3.9, 4.2, -1.0]),
        np.array([-5.0, 6.6, -1.5]),
        np.array([-5.2, 8.6, -2.0]),
    ]
    for number in range(3):
        limbs.append(Limb(thumb[number], thumb[number + 1], (1.5, 1.0, 0.88)[number], (1.0, 0.88, 0.72)[number]))
    return limbs


def _frame(gesture: Gesture, lean_deg: float) -> NDArray[np.float64]:
    """(3, 3) from the hand's frame to the head's: the palm looks at the face or away, the fingers lean to the left."""
    lean = np.deg2rad(lean_deg)
    up = np.array([np.sin(lean), np.cos(lean), 0.0])
    back = np.array([0.0, 0.0, 1.0 if gesture.towards_face else -1.0])
    across = np.cross(up, back)
    return np.stack([across, up, back], 1)


def _outside(wearer: Wearer, places: NDArray[np.floating]) -> NDArray[np.floating]:
    """The hand moved off the face, or onto it, so that its nearest place touches the skin."""
    skin = np.flatnonzero(wearer.studio.head.neutral[:, 1] > -10)
    skin = skin[skin < wearer.studio.head.number[11247]][::4]
    _, near = cKDTree(wearer.base[skin]).query(places)
    normals = wearer.studio.normals[skin[near]]
    height = ((places - wearer.base[skin[near]]) * normals).sum(1)
    deepest = height.argmin()
    outwards = normals[deepest] + np.array([0, 0, 0.6])
    outwards /= np.linalg.norm(outwards)
    gap = np.clip(-float(height[deepest]), -1.5, 9.0)
    result: NDArray[np.floating] = places + outwards * gap / max(float(outwards @ normals[deepest]), 0.35)
    return result

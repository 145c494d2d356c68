"""Where the 68 landmarks of 300W lie on ICT's head, by the markup's definition and the head's own shape."""

from __future__ import annotations

import numpy as np

from startrack.tracker.schemes import IBUG_68
from startrack.train.synthetic.geometry.mesh import Floats, Indices
from startrack.train.synthetic.geometry.rays import Anchors, nearest_anchors
from startrack.train.synthetic.head.contours import Skin, along, front_outline, ridge
from startrack.train.synthetic.head.head_model import FACE_VERTICES, SKIN, HeadModel
from startrack.train.synthetic.pose import Pose

# fmt: off
MULTI_PIE_VERTICES = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443,
    268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509,
    978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360,
    1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841,
    5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)
"""Vertices of the 68 landmarks as ICT-FaceKit's README gives them."""
RIGHT_JAW_VERTICES = (1278, 1272, 12, 1834, 243, 781, 2199)
"""The jaw's right edge from the ear on, from the same README: the outline of a turned head's near side."""
# fmt: on

EYES, BROWS = ((36, 37, 38, 39), (39, 40, 41, 36)), (17, 18, 19, 20, 21)
"""Landmarks between whose first and last the others lie at equal distances along the line through them."""
LIPS = ((48, 59, 58, 57, 56, 55, 54), (60, 61, 62, 63, 64), (60, 67, 66, 65, 64))
"""Landmarks of the lips' other edges; those beside the middle lie below the peaks of the upper lip, PEAK."""
PEAK, BESIDE = 50, (58, 61, 67)
RIDGE_CM = (-1.4, 0.6)
"""Heights around the README's vertex of a brow between which its ridge is."""
SHIFTS_CM = {
    31: (-0.15, 0.25, 0.2),  # the wing's lower edge, outside the nostril
    32: (-0.1, 0.15, 0.2),
    33: (0.0, 0.05, 0.05),
    36: (0.13, 0.0, 0.0),  # where the lids part
    48: (0.17, 0.0, 0.0),  # where the red of the lips ends
    49: (0.0, -0.1, 0.0),  # on the border of the red
    50: (0.11, -0.15, 0.0),  # the peak of the bow
    51: (0.0, -0.2, 0.0),
    60: (0.2, 0.0, 0.0),  # where the lips part
}
"""Landmark → offset from the README's vertex, cm in the head's frame, by eye; the left side is its mirror image."""

HELD_DEG = 7.0
"""How far the chin of a head in a photo is held down against that of ICT's mean head. `python -m
benchmarks.fits.fit_head_held portraits --check faces` says 7.7 degrees in the median of 223 free portraits that look
ahead, and is off by -1.2 degrees on rendered faces."""


def landmark_anchors(head: HeadModel) -> Anchors:
    """The 68 landmarks as places on the skin."""
    return nearest_anchors(landmark_places(head), head.neutral, face_triangles(head))


def landmark_places(head: HeadModel) -> Floats:
    """(68, 3) cm on the mean head, before they are laid onto its skin.

    By the markup's definition (Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV workshops 2013, figure 1; Gross
    et al., "Multi-PIE", 2010): the outline's 17 at equal distances along the face's contour between the heights of the
    outer eye corners, through the chin; five on each brow, at equal distances along the ridge that it grows on; lids
    at equal distances between their corners; those of the lips beside the middle below the peaks of the upper lip; the
    rest at the README's vertices, some moved by eye (SHIFTS_CM), with the figure and six published faces with their
    landmarks in view. Nothing here was fitted to annotated pictures, or with a network that has seen one.
    """
    skin = Skin.of(head.neutral, face_triangles(head))
    places = head.neutral[[head.number[vertex] for vertex in MULTI_PIE_VERTICES]].copy()
    for landmark, shift in SHIFTS_CM.items():
        places[landmark] += np.array(shift, np.float32)
    places[:9] = _right_outline(head, places[36])
    brow = along(places[list(BROWS)], np.linspace(0, 1, len(BROWS)))
    low, high = RIDGE_CM
    for landmark, place in zip(BROWS, brow, strict=True):
        places[landmark] = ridge(skin, float(place[0]), float(place[1]) + low, float(place[1]) + high)
    for lid in EYES:
        places[list(lid)] = along(places[list(lid)], np.linspace(0, 1, len(lid)))
    for line in LIPS:
        edge = places[list(line)]
        beside = next(landmark for landmark in line if landmark in BESIDE)
        places[beside] = [np.interp(places[PEAK, 0], edge[:, 0], edge[:, axis]) for axis in range(3)]
    for pair in IBUG_68.flip_pairs:
        right, left = sorted(pair, key=lambda landmark: float(places[landmark, 0]))
        places[left] = places[right] * np.array((-1, 1, 1), np.float32)
    return places


def _right_outline(head: HeadModel, eye_corner: Floats) -> Floats:
    """(9, 3) places of the outline's right half, from beside the outer eye corner to the chin, as they show in a
    picture of a head that is held as most are (HELD_DEG)."""
    held = Pose(0, HELD_DEG, 0).rotation.astype(np.float32)
    skin = Skin.of(head.neutral @ held.T, face_triangles(head))
    places: Floats = along(front_outline(skin, float((held @ eye_corner)[1])), np.linspace(0, 1, 9)) @ held
    return places


def face_triangles(head: HeadModel) -> Indices:
    """(F', 3) triangles of the face's skin: no skull, no neck's back, no mouth's inside."""
    limit = head.number[FACE_VERTICES - 1]
    faces = head.faces[head.material == SKIN]
    result: Indices = faces[(faces <= limit).all(1)]
    return result

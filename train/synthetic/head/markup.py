"""Where the 68 landmarks of 300W lie on ICT's head, set by hand from the markup's definition."""

from __future__ import annotations

import numpy as np

from startrack.tracker.schemes import IBUG_68
from startrack.train.synthetic.geometry.mesh import Floats, Indices
from startrack.train.synthetic.geometry.rays import Anchors, nearest_anchors
from startrack.train.synthetic.head.head_model import FACE_VERTICES, SKIN, HeadModel

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
SIDE_JAW_VERTICES = (1278, 1272, 12, 1834, 243, 781, 2199, 1447, 966, 3661, 4390, 3022, 2484, 4036, 2253, 3490, 3496)
"""The jaw's edge up to the ears, from the same README: where the outline's points of a turned head's near side lie."""
# fmt: on

SHIFTS_CM = {
    0: (0.0, -0.6, 0.0),  # the outline begins at the height of the outer eye corner
    1: (0.0, -0.35, 0.0),
    2: (-0.1, -0.3, -0.1),
    3: (-0.15, -0.25, -0.2),
    4: (-0.3, 0.0, -0.45),  # the outermost place of the jaw, not the edge of the cheek
    5: (-0.45, 0.15, -0.6),
    6: (-0.1, -0.3, -0.9),
    7: (-0.2, -0.3, -1.3),  # the chin's lower edge: its outline from the front, its lowest place from the side
    8: (0.0, -0.2, -1.3),
    17: (0.0, -0.5, 0.3),  # on the brow, not on its upper edge
    18: (0.0, -0.5, 0.1),
    19: (0.1, -0.6, 0.0),
    20: (0.1, -0.75, -0.1),
    21: (0.1, -0.9, 0.0),
    31: (-0.1, 0.35, 0.4),  # the wing's lower edge, outside the nostril
    32: (-0.1, 0.2, 0.2),
    33: (0.0, 0.1, 0.2),
    37: (0.2, 0.05, 0.1),  # a third and two thirds of the lid
    41: (0.1, -0.15, 0.1),
    40: (-0.1, -0.15, 0.1),
    51: (0.0, -0.2, -0.1),
    49: (0.05, -0.1, -0.1),
    50: (0.1, -0.15, -0.1),
    58: (0.3, -0.05, -0.2),  # the lower lip's edge in four equal parts
    59: (0.1, -0.05, -0.2),
    61: (0.4, 0.0, 0.2),  # the inner edges likewise
    67: (0.4, 0.0, 0.2),
}
"""Landmark → offset from the README's vertex, cm in the head's frame; the left side is its mirror image."""


def landmark_anchors(head: HeadModel) -> Anchors:
    """The 68 landmarks as places on the skin."""
    return nearest_anchors(landmark_places(head), head.neutral, face_triangles(head))


def landmark_places(head: HeadModel) -> Floats:
    """(68, 3) cm on the mean head, before they are laid onto its skin."""
    places = head.neutral[[head.number[vertex] for vertex in MULTI_PIE_VERTICES]].copy()
    mirrored = dict(IBUG_68.flip_pairs) | {right: left for left, right in IBUG_68.flip_pairs}
    for landmark, shift in SHIFTS_CM.items():
        places[landmark] += np.array(shift, np.float32)
        twin = mirrored.get(landmark, landmark)
        if twin != landmark:
            places[twin] += np.array((-shift[0], shift[1], shift[2]), np.float32)
    return places


def face_triangles(head: HeadModel) -> Indices:
    """(F', 3) triangles of the face's skin: no skull, no neck's back, no mouth's inside."""
    limit = head.number[FACE_VERTICES - 1]
    faces = head.faces[head.material == SKIN]
    result: Indices = faces[(faces <= limit).all(1)]
    return result

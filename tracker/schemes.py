"""Facts about landmark numberings as frozen values: points, flip pairs, drawing edges, eyes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Edge:
    """A curve through landmarks, drawn and used as a boundary channel."""

    name: str
    indices: tuple[int, ...]
    closed: bool = False


@dataclass(frozen=True)
class LandmarkScheme:
    """How the landmarks of a markup are numbered (0-based)."""

    name: str
    num_landmarks: int
    flip_pairs: tuple[tuple[int, int], ...]
    """Landmarks that change places when the picture is mirrored; the others stay."""
    edges: tuple[Edge, ...]
    left_eye: tuple[int, ...] = ()
    """Landmarks around the eye on the picture's left; their mean is the eye's centre. Empty if the markup has none."""
    right_eye: tuple[int, ...] = ()
    inter_ocular: tuple[int, int] | None = None
    """Outer eye corners: the usual normaliser of NME; None if the markup has none."""
    steady: tuple[int, ...] = ()
    """Landmarks that speech and mimicry hardly move: corners of the eyes, nose; empty if there are none."""
    pupils: tuple[int, int] | None = None
    """Landmarks on the two pupils, the one on the picture's left first; None if the markup has none."""
    ibug_68: tuple[int, ...] = ()
    """Which landmark is each of iBUG's 68, in their order: what signals and avatars are computed from. Empty if the
    markup does not have them all."""
    is_body: bool = False
    """A person's joints in place of a face's points."""
    upper_body: tuple[int, ...] = ()
    """Of a body, the landmarks above the hips."""

    @cached_property
    def flip_order(self) -> NDArray[np.intp]:
        """(K,) landmark k of the mirrored picture is landmark flip_order[k] of the original; its own inverse."""
        order = np.arange(self.num_landmarks)
        for first, second in self.flip_pairs:
            order[first], order[second] = second, first
        return order

    @cached_property
    def eye_weights(self) -> NDArray[np.float64]:
        """(2, K) each landmark's weight in the centre of the eye on the picture's left and of that on its right."""
        weights = np.zeros((2, self.num_landmarks))
        for row, eye in enumerate((self.left_eye, self.right_eye)):
            weights[row, list(eye)] = 1 / max(len(eye), 1)
        return weights


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


# fmt: off
IBUG_68 = LandmarkScheme(
    name="ibug_68",
    num_landmarks=68,
    flip_pairs=(
        *((k, 16 - k) for k in range(8)),
        *((17 + k, 26 - k) for k in range(5)),
        (31, 35), (32, 34),
        (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
        (48, 54), (49, 53), (50, 52), (55, 59), (56, 58),
        (60, 64), (61, 63), (65, 67),
    ),
    edges=(
        Edge("jaw", _span(0, 16)),
        Edge("left brow", _span(17, 21)),
        Edge("right brow", _span(22, 26)),
        Edge("nose ridge", _span(27, 30)),
        Edge("nostrils", _span(31, 35)),
        Edge("left eye", _span(36, 41), closed=True),
        Edge("right eye", _span(42, 47), closed=True),
        Edge("outer lips", _span(48, 59), closed=True),
        Edge("inner lips", _span(60, 67), closed=True),
    ),
    left_eye=_span(36, 41),
    right_eye=_span(42, 47),
    inter_ocular=(36, 45),
    steady=(*_span(27, 36), 39, 42, 45),
    ibug_68=_span(0, 67),
)
"""iBUG 300W markup (Sagonas et al., 2013): jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67."""

WFLW_98 = LandmarkScheme(
    name="wflw_98",
    num_landmarks=98,
    flip_pairs=(
        *((k, 32 - k) for k in range(16)),
        *((33 + k, 46 - k) for k in range(5)), *((38 + k, 50 - k) for k in range(4)),
        (55, 59), (56, 58),
        *((60 + k, 72 - k) for k in range(5)), (65, 75), (66, 74), (67, 73),
        (76, 82), (77, 81), (78, 80), (83, 87), (84, 86),
        (88, 92), (89, 91), (93, 95),
        (96, 97),
    ),
    edges=(
        Edge("jaw", _span(0, 32)),
        Edge("left brow", _span(33, 41), closed=True),
        Edge("right brow", _span(42, 50), closed=True),
        Edge("nose ridge", _span(51, 54)),
        Edge("nostrils", _span(55, 59)),
        Edge("left eye", _span(60, 67), closed=True),
        Edge("right eye", _span(68, 75), closed=True),
        Edge("outer lips", _span(76, 87), closed=True),
        Edge("inner lips", _span(88, 95), closed=True),
    ),
    left_eye=_span(60, 67),
    right_eye=_span(68, 75),
    inter_ocular=(60, 72),
    steady=(*_span(51, 60), 64, 68, 72),
    pupils=(96, 97),
    ibug_68=(
        *range(0, 33, 2), *_span(33, 37), *_span(42, 46), *_span(51, 59),
        60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, *_span(76, 95),
    ),
)
"""WFLW markup (Wu et al., CVPR 2018): jaw 0-32, brows 33-50, nose 51-59, eyes 60-75, mouth 76-95, pupils 96 and 97.
Every second point of its jaw, the brows' upper edges and all but the middles of the lids are iBUG's."""

COFW_29 = LandmarkScheme(
    name="cofw_29",
    num_landmarks=29,
    flip_pairs=(
        (0, 1), (2, 3), (4, 6), (5, 7),
        (8, 9), (10, 11), (12, 14), (13, 15), (16, 17),
        (18, 19), (22, 23),
    ),
    edges=(
        Edge("left brow", (0, 4, 2, 5), closed=True),
        Edge("right brow", (1, 6, 3, 7), closed=True),
        Edge("left eye", (8, 12, 10, 13), closed=True),
        Edge("right eye", (9, 14, 11, 15), closed=True),
        Edge("nose", (18, 20, 19, 21), closed=True),
        Edge("lower lip", (22, 26, 23, 27), closed=True),
        Edge("upper lip", (22, 24, 23, 25), closed=True),
    ),
    left_eye=(8, 12, 10, 13),
    right_eye=(9, 14, 11, 15),
    inter_ocular=(8, 9),
    steady=(*_span(8, 11), *_span(18, 21)),
    pupils=(16, 17),
)
# fmt: on
"""COFW markup (Burgos-Artizzu et al., ICCV 2013): brows 0-7, eyes 8-15, pupils 16 and 17, nose 18-21, mouth 22-27, chin
28. Its published coordinates count pixels from 1."""

# fmt: off
COCO_17 = LandmarkScheme(
    name="coco_17",
    num_landmarks=17,
    flip_pairs=tuple((k, k + 1) for k in range(1, 17, 2)),
    edges=(
        Edge("face", (3, 1, 0, 2, 4)),
        Edge("shoulders", (5, 6)), Edge("hips", (11, 12)),
        Edge("left side", (5, 11)), Edge("right side", (6, 12)),
        Edge("left arm", (5, 7, 9)), Edge("right arm", (6, 8, 10)),
        Edge("left leg", (11, 13, 15)), Edge("right leg", (12, 14, 16)),
    ),
    is_body=True,
    upper_body=_span(0, 10),
)
"""COCO's bodies (Lin et al., ECCV 2014): nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; the person's
own left one first. No eyes are named, for a body's crop does not turn with its head."""

MPII_16 = LandmarkScheme(
    name="mpii_16",
    num_landmarks=16,
    flip_pairs=((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)),
    edges=(
        Edge("right leg", (0, 1, 2)), Edge("left leg", (3, 4, 5)),
        Edge("hips", (2, 6, 3)), Edge("spine", (6, 7, 8, 9)), Edge("shoulders", (12, 7, 13)),
        Edge("right arm", (10, 11, 12)), Edge("left arm", (13, 14, 15)),
    ),
    is_body=True,
    upper_body=_span(7, 15),
)
# fmt: on
"""MPII Human Pose (Andriluka et al., CVPR 2014): ankle, knee, hip of the person's right leg, hip, knee, ankle of the
left, pelvis, thorax, upper neck, head top, wrist, elbow, shoulder of the right arm, shoulder, elbow, wrist of the left.
Its published coordinates count pixels from 1."""

SCHEMES: dict[str, LandmarkScheme] = {scheme.name: scheme for scheme in (IBUG_68, WFLW_98, COFW_29, COCO_17, MPII_16)}
"""The numberings of which more is known than how many landmarks there are."""

PLAIN = "points_"


def plain_scheme(num_landmarks: int) -> LandmarkScheme:
    """A user's own markup: so many landmarks, and nothing known of their meaning. [TRAP] Without flip pairs a mirrored
    face has its landmarks on the wrong side, so such a model is neither trained nor tested on mirrored pictures."""
    return LandmarkScheme(name=f"{PLAIN}{num_landmarks}", num_landmarks=num_landmarks, flip_pairs=(), edges=())


def find_scheme(name: str) -> LandmarkScheme:
    """The numbering that a model file names: one of SCHEMES or, for "points_12", plain_scheme(12).

    Raises ValueError for any other name.
    """
    if name in SCHEMES:
        return SCHEMES[name]
    count = name.removeprefix(PLAIN)
    if name == count or not count.isdecimal() or not int(count):
        raise ValueError(f"no landmark scheme {name!r}; expected {PLAIN}N or one of {', '.join(SCHEMES)}")
    return plain_scheme(int(count))

"""Pictures without a face, made from rendered faces alone: their surroundings, drawn patterns, cloth, limbs, words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from startrack.tracker.crop import bounding_box
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.drapery import draw_drapery
from startrack.train.augment.face_pastes import StoredFace, blend
from startrack.train.augment.lettering import draw_word
from startrack.train.augment.lookalikes import draw_limb
from startrack.train.augment.textures import drawn_pattern
from startrack.train.sets.backgrounds import Background

SIDE = 160
"""Of drawn pictures, px."""
CLOTH = 0.4
"""Share of cloth among drawn pictures."""
ROOM = 0.15
"""Between the landmarks' box and its surroundings, in sides of the box: ears and hair may show."""
NARROWEST = 40
"""Width of the narrowest strip that is taken, px."""


def faceless_pictures(faces: Sequence[StoredFace], count: int, rng: np.random.Generator) -> list[Background]:
    """So many pictures without a face. A third are strips next to one of the faces, where one leaves room for it; the
    others drawn patterns or cloth in folds, half of them with limbs of the faces' skin or words on them. faces: one or
    more."""
    return [_picture(faces[int(rng.integers(len(faces)))], rng) for _ in range(count)]


def _picture(face: StoredFace, rng: np.random.Generator) -> Background:
    draw = rng.random()
    strip = beside_face(face.image, face.landmarks) if draw < 1 / 3 else None
    if strip is None:
        strip = draw_drapery(SIDE, rng) if rng.random() < CLOTH else drawn_pattern(SIDE, rng)
        if draw > 2 / 3:
            patch, opacity = draw_limb(SIDE, face, rng) if rng.random() < 0.7 else draw_word(SIDE, rng)
            corner = rng.integers(-SIDE // 4, SIDE // 4 + 1, 2)
            blend(strip, patch, (int(corner[0]), int(corner[1])), opacity)
    return Background(strip, np.zeros((0, 4)))


def beside_face(image: ImageArray, landmarks: FloatArray) -> ImageArray | None:
    """The wider one of the strips on the left and on the right of a face, over the whole height; None if both are
    narrow. image: (H, W, 3). landmarks: (K, 2) px."""
    left, _, right, _ = bounding_box(landmarks)
    room = ROOM * float(right - left)
    first, last = int(left - room), int(np.ceil(right + room)) + 1
    strip = image[:, : max(first, 0)] if first >= image.shape[1] - last else image[:, last:]
    return strip.copy() if strip.shape[1] >= NARROWEST else None

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from startrack.train.augment.coverings import cover_face, cover_shape, paint_face
from startrack.train.augment.face_pastes import StoredFace, store_faces
from startrack.train.sets import ibug_300w

SQUARE = np.array([100.0, 90, 60])


@pytest.fixture(scope="module")
def face(made_300w: Path) -> StoredFace:
    return store_faces(ibug_300w.load(made_300w, "trainval")[:1])[0]


def textured() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (200, 220, 3), dtype=np.uint8)


@pytest.mark.parametrize("angle", [0.0, 1.0])
def test_a_cover_hides_part_of_the_face_and_little_else(face: StoredFace, angle: float) -> None:
    hidden = []
    for seed in range(60):
        picture = textured()
        cover_face(picture, SQUARE, angle, face, np.random.default_rng(seed))
        changed = (picture != textured()).any(axis=2)
        hidden.append(changed[60:120, 70:130].mean())
        assert not changed[:35].any()
        assert not changed[145:].any()
    assert 0.15 < np.median(hidden) < 0.6
    # a face hidden all over is none to be asked for
    assert max(hidden) < 0.85


def test_half_faces_are_cut_along_the_face(face: StoredFace) -> None:
    """Turned with the face, a shape of the same draw covers the same part of it."""
    for seed in range(20):
        upright = cover_shape(81, 0.0, np.random.default_rng(seed))
        turned = cover_shape(81, math.pi / 2, np.random.default_rng(seed))
        assert (np.rot90(upright, -1) == turned)[8:-8, 8:-8].mean() > 0.97


def test_covers_and_paint_may_leave_the_picture(face: StoredFace) -> None:
    picture = textured()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for square in ((0.0, 0, 60), (219, 199, 80), (-100, 50, 30), (110, 100, 500)):
            cover_face(picture, np.array(square), 0.3, face, rng)
            paint_face(picture, np.array(square), 0.3, rng)
    assert picture.shape == textured().shape


def test_paint_changes_the_colour_and_keeps_the_shade() -> None:
    shades = np.linspace(40, 220, 220)[None, :, None].repeat(200, axis=0).repeat(3, axis=2).astype(np.uint8)
    coloured = 0
    for seed in range(30):
        picture = shades.copy()
        paint_face(picture, SQUARE, 0.0, np.random.default_rng(seed))
        row = picture[90, 75:125].astype(int)
        coloured += bool((np.ptp(row, axis=1) > 20).any())
        untouched = np.ones(picture.shape[:2], bool)
        untouched[45:135, 55:145] = False
        assert (picture == shades)[untouched].all()
        if (picture[90, 75:125] != shades[90, 75:125]).any(axis=1).all():
            # painted from edge to edge: brighter skin stays brighter
            assert (np.diff(row.sum(axis=1)) >= -2).all()
    assert coloured > 20

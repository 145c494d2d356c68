from __future__ import annotations

import numpy as np

from startrack.train.augment.drapery import draw_drapery
from startrack.train.augment.face_pastes import StoredFace
from startrack.train.augment.faceless import SIDE, beside_face, faceless_pictures

POINTS = np.stack([np.linspace(70, 130, 68), np.linspace(60, 160, 68)], 1)


def marked() -> np.ndarray:
    """A picture whose red channel is each pixel's column."""
    image = np.zeros((200, 256, 3), np.uint8)
    image[..., 0] = np.arange(256)
    return image


def test_the_wider_strip_beside_a_face_is_taken_and_narrow_ones_are_not() -> None:
    strip = beside_face(marked(), POINTS)
    assert strip is not None
    # the box ends at 130, and a margin of 0.15 of its 60 px follows
    assert strip.shape == (200, 256 - 140, 3)
    assert strip[0, 0, 0] == 140
    left = beside_face(marked(), POINTS + np.array([60.0, 0.0]))
    assert left is not None
    assert left.shape[1] == 121
    assert left[0, -1, 0] == 120
    assert beside_face(marked()[:, 50:160], POINTS - np.array([50.0, 0.0])) is None
    assert beside_face(marked(), np.array([[-50.0, 0.0], [400.0, 100.0]])) is None


def test_faceless_pictures_are_of_all_kinds_and_depend_on_the_seed() -> None:
    face = StoredFace(marked(), POINTS)
    made = faceless_pictures([face], 60, np.random.default_rng(3))
    again = faceless_pictures([face], 60, np.random.default_rng(3))
    assert all(np.array_equal(one.image, other.image) for one, other in zip(made, again, strict=True))
    strips = sum(one.image.shape[:2] == (200, 116) for one in made)
    drawn = sum(one.image.shape[:2] == (SIDE, SIDE) for one in made)
    assert 10 < strips < 30
    assert strips + drawn == 60
    assert all(len(one.faces) == 0 for one in made)


def test_cloth_is_shaded_by_folds_that_run_on() -> None:
    sheets = [draw_drapery(96, np.random.default_rng(number)).astype(float) for number in range(20)]
    assert all(sheet.shape == (96, 96, 3) for sheet in sheets)
    # brightness varies, but not from pixel to pixel as noise does
    grey = [sheet.mean(axis=2) for sheet in sheets if sheet.mean() > 40]
    assert len(grey) > 8
    assert all(one.std() > 0.05 * one.mean() for one in grey)
    steps = np.median([np.abs(np.diff(one, axis=1)).mean() / one.std() for one in grey])
    assert steps < 0.5
    assert not np.array_equal(sheets[0], sheets[1])

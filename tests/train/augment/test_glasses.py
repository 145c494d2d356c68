"""A lens before an eye: paints on and around it, and nothing far away."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.train.augment.glasses import with_glasses

LIDS = np.array([[90, 110], [100, 102], [116, 102], [126, 110], [116, 116], [100, 116]], np.float64)
SKIN = 140


@pytest.mark.parametrize("seed", range(8))
def test_a_lens_changes_what_lies_before_the_eye_alone(seed: int) -> None:
    image = np.full((220, 220, 3), SKIN, np.uint8)
    painted = with_glasses(image, LIDS, np.random.default_rng(seed))
    assert painted.dtype == np.uint8
    changed = np.abs(painted.astype(int) - SKIN).max(axis=2) > 2
    assert changed.mean() > 0.005
    rows, columns = np.nonzero(changed)
    assert columns.min() > 108 - 18 * 3
    assert columns.max() < 108 + 18 * 3
    assert rows.min() > 110 - 18 * 2.4
    assert rows.max() < 110 + 18 * 2.4
    assert (image == SKIN).all(), "the picture itself stays"
    assert np.array_equal(painted, with_glasses(image, LIDS, np.random.default_rng(seed)))


def test_no_lens_hides_the_eye_wholly() -> None:
    stripes = np.zeros((220, 220, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 200
    for seed in range(40):
        eye = with_glasses(stripes, LIDS, np.random.default_rng(seed))[104:115, 96:120].astype(float)
        assert eye.std() > 12


def test_lenses_differ() -> None:
    image = np.full((220, 220, 3), SKIN, np.uint8)
    found = [with_glasses(image, LIDS, np.random.default_rng(seed))[90:130, 80:136] for seed in range(20)]
    brighter = sum((one > SKIN + 25).mean() > 0.02 for one in found)
    darker = sum((one < SKIN - 25).mean() > 0.02 for one in found)
    assert brighter >= 5
    assert darker >= 5


def test_an_eye_of_a_few_pixels_is_left_alone() -> None:
    image = np.full((20, 20, 3), SKIN, np.uint8)
    lids = np.array([[9, 10], [9.5, 9], [10.5, 9], [11, 10], [10.5, 11], [9.5, 11]])
    assert with_glasses(image, lids, np.random.default_rng(0)) is image

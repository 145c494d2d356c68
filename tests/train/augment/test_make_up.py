"""A made-up eye: dark around the lids, as it was elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.train.augment.make_up import made_up

LIDS = np.array([[40, 60], [50, 52], [66, 52], [76, 60], [66, 66], [50, 66]], np.float64)
SKIN = 180


@pytest.mark.parametrize("seed", range(6))
def test_only_the_surroundings_of_the_lids_are_painted(seed: int) -> None:
    image = np.full((120, 120, 3), SKIN, np.uint8)
    painted = made_up(image, LIDS, np.random.default_rng(seed)).astype(int)
    edge = painted[49:52, 58].mean()
    assert edge < SKIN - 10, "dark above the upper lid's edge"
    far = [painted[5, 58], painted[115, 58], painted[60, 5], painted[60, 115]]
    assert np.abs(np.array(far) - SKIN).max() <= 2
    assert (image == SKIN).all(), "the picture itself stays"
    assert np.array_equal(painted, made_up(image, LIDS, np.random.default_rng(seed)))


def test_an_eye_of_a_few_pixels_is_left_alone() -> None:
    image = np.full((20, 20, 3), SKIN, np.uint8)
    lids = np.array([[9, 10], [9.5, 9], [10.5, 9], [11, 10], [10.5, 11], [9.5, 11]])
    assert made_up(image, lids, np.random.default_rng(0)) is image

"""A lid that falls over an open eye: where it ends, what it covers, what stays."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.train.augment.blink import LidFall

LIDS = np.array([[10, 30], [20, 22], [36, 22], [46, 30], [36, 36], [20, 36]], np.float64)


def picture() -> np.ndarray:  # type: ignore[type-arg]
    """Skin of 200, an eye of 50 between its lids."""
    image = np.full((60, 60, 3), 200, np.uint8)
    across = (np.arange(60) - 28) / 18
    arch = np.clip(1 - across**2, 0, 1)
    rows = np.arange(60)[:, None]
    image[(rows > 30 - 9.97 * arch) & (rows < 30 + 7.5 * arch)] = 50
    return image


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_lids_and_picture_agree(share: float) -> None:
    fall = LidFall(LIDS, share)
    lids = fall.move_lids()
    before, after = LIDS[4] - LIDS[2], lids[4] - lids[2]
    assert after[1] == pytest.approx((1 - share) * before[1], abs=0.2)
    assert np.array_equal(lids[[0, 3, 4, 5]], LIDS[[0, 3, 4, 5]])
    drawn = fall.draw(picture())
    dark = np.flatnonzero(drawn[:, 28, 0] < 100)
    assert len(dark) == pytest.approx((1 - share) * 17.5, abs=1.5)
    assert np.array_equal(drawn[40:], picture()[40:]), "below the eye nothing moves"
    assert np.array_equal(drawn[:, :9], picture()[:, :9])


def test_a_left_eye_shuts_as_a_right_one_does() -> None:
    """Its order begins at the outer corner as well, which is on the picture's right."""
    mirrored = LIDS * [-1, 1] + [56, 0]
    left, right = LidFall(mirrored, 0.8), LidFall(LIDS, 0.8)
    assert left.fall == pytest.approx(right.fall)
    assert np.allclose(left.move_lids(), right.move_lids() * [-1, 1] + [56, 0])
    assert left.covers(np.array([28.0, 27.0]))
    dark = (left.draw(picture())[:, 28, 0] < 100).sum()
    assert dark == pytest.approx(0.2 * 17.5, abs=1.5)


def test_what_the_lid_reaches_is_covered() -> None:
    iris = np.array([28.0, 27.0])
    assert not LidFall(LIDS, 0.2).covers(iris)
    assert LidFall(LIDS, 0.8).covers(iris)


def test_an_eye_of_no_size_is_left_alone() -> None:
    image = picture()
    assert np.array_equal(LidFall(np.full((6, 2), 80.0), 1.0).draw(image), image)

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from startrack.train.augment.strong_light import (
    LUMA,
    StrongLight,
    change_light,
    colour_matrix,
    darken,
    hue_turn,
    lamp,
    recolour,
    saturation,
)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_a_third_of_a_turn_exchanges_the_channels() -> None:
    assert_allclose(hue_turn(2 * math.pi / 3) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    assert_allclose(hue_turn(0.4) @ [1, 1, 1], [1, 1, 1])
    assert_allclose(hue_turn(0.4) @ hue_turn(-0.4), np.eye(3), atol=1e-12)


def test_no_saturation_is_grey() -> None:
    assert_allclose(saturation(0.0) @ [200, 100, 50], np.full(3, np.dot(LUMA, [200, 100, 50])))
    assert_allclose(saturation(1.0), np.eye(3))


def test_recolour_is_the_matrix_pixel_by_pixel() -> None:
    before = picture()
    matrix = np.array([[0.5, 0.2, 0], [0, 2, 0], [0, 0, 0]])
    expected = np.clip(np.round(before @ matrix.T), 0, 255)
    assert np.abs(recolour(before, matrix) - expected).max() <= 1


@pytest.mark.parametrize("seed", range(20))
def test_a_lamp_lights_one_or_two_channels(seed: int) -> None:
    gains = np.diag(lamp(np.random.default_rng(seed)))
    assert 1 <= (gains >= 0.7).sum() <= 2
    assert ((gains <= 0.6) | (gains >= 0.7)).all()


def test_colour_changes_leave_a_picture_to_see() -> None:
    """None maps all colours to black, so that no face is asked for where nothing is left of it."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert recolour(picture(), colour_matrix(rng)).std() > 15


def test_darkness_keeps_order_and_scale() -> None:
    rng = np.random.default_rng(1)
    levels = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    dark = darken(levels, 0.05, noise=0.0, rng=rng)
    assert dark.max() in (12, 13)
    assert (np.diff(dark[0, :, 0].astype(int)) >= 0).all()
    flat = np.full((200, 200, 3), 200, np.uint8)
    noisy = darken(flat, 0.1, noise=0.1, rng=rng).astype(float)
    assert noisy.mean() == pytest.approx(20, abs=0.6)
    # a tenth of the brightest value, 25.5
    assert noisy.std() == pytest.approx(2.55, rel=0.1)


def test_probabilities_are_kept() -> None:
    rng = np.random.default_rng(2)
    never = [change_light(picture(), StrongLight(colour=0, darkness=0), rng) for _ in range(20)]
    assert all((each == picture()).all() for each in never)
    always = [change_light(picture(), StrongLight(colour=0, darkness=1), rng).mean() for _ in range(20)]
    assert max(always) < 0.45 * picture().mean()
    before = picture()
    change_light(before, StrongLight(colour=1, darkness=1), rng)
    assert (before == picture()).all()

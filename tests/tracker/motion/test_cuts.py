from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.motion.cuts import CutDetector
from startrack.tracker.types import ImageArray


def test_a_cut_is_another_scene_not_a_light_or_a_shake() -> None:
    rng = np.random.default_rng(1)
    scene, other = (np.kron(rng.integers(0, 200, (9, 16, 3)), np.ones((40, 40, 1))).astype(np.uint8) for _ in range(2))
    scene_of = CutDetector()
    shown = [scene, np.roll(scene, 4, axis=1), (scene * 0.5).astype(np.uint8), other, other]
    assert [scene_of(image) for image in shown] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_flat_frame_does_not_part_a_scene(level: int, frames: int) -> None:
    scene, other = mosaic(1), mosaic(2)
    flat = np.full_like(scene, level)
    scene_of = CutDetector()
    numbers = [scene_of(image) for image in [scene, scene, *[flat] * frames, scene, other, other]]
    assert numbers[0] == numbers[1] == numbers[2 + frames] == 0
    assert numbers[3 + frames] == numbers[4 + frames] > 0


def test_a_cutaway_shows_the_same_scene_again_and_a_third_one_is_new() -> None:
    scene_of = CutDetector()
    assert [scene_of(mosaic(seed)) for seed in (1, 1, 2, 2, 1, 3, 2, 4)] == [0, 0, 1, 1, 0, 2, 1, 3]


@pytest.mark.parametrize("upright", [False, True], ids=["above and below", "at the sides"])
@pytest.mark.parametrize("share", [0.13, 0.23, 0.34])
def test_black_bars_hide_no_cut(share: float, upright: bool) -> None:
    rng = np.random.default_rng(3)

    def barred(seed: int) -> ImageArray:
        image = mosaic(seed)
        inside = np.zeros_like(image)
        margin = round(share * image.shape[1 if upright else 0])
        part = np.s_[:, margin:-margin] if upright else np.s_[margin:-margin]
        inside[part] = image[part]
        return np.clip(inside + rng.integers(0, 6, image.shape), 0, 255).astype(np.uint8)

    scene_of = CutDetector()
    assert [scene_of(barred(seed)) for seed in (1, 1, 2, 2)] == [0, 0, 1, 1]


def test_a_dark_room_with_one_lit_thing_that_moves_is_one_scene() -> None:
    scene_of = CutDetector()
    for t in range(20):
        image = np.full((360, 640, 3), 8, np.uint8)
        image[100 + 4 * t : 250 + 4 * t, 150 + 12 * t : 290 + 12 * t] = mosaic(1)[:150, :140]
        assert scene_of(image) == 0


def test_a_cut_between_pictures_that_are_bright_in_the_middle() -> None:
    scene_of = CutDetector()
    assert [scene_of(portrait(*levels)) for levels in ((20, 100), (20, 100), (60, 110), (60, 110))] == [0, 0, 1, 1]


def test_a_near_face_that_moves_fast_is_one_scene() -> None:
    """By 38 % of its side a frame: the thumbnails correlate with 0.61, and differ by 17 grey levels."""
    scene_of = CutDetector()
    assert {scene_of(portrait(40, 140, x=75 * (t % 2))) for t in range(12)} == {0}


def portrait(ground: int, face: int, *, x: int = 0) -> ImageArray:
    """(360, 640, 3) a coarse pattern, brighter in a square of 200 pixels in the middle: the pattern is
    another one for another ground."""
    image = np.asarray(mosaic(ground) * 0.4, np.uint8) + np.uint8(ground)
    image[80:280, 220 + x : 420 + x] += np.asarray(mosaic(face)[80:280, 220:420] * 0.2 + face - ground, np.uint8)
    return image


def mosaic(seed: int) -> ImageArray:
    """(360, 640, 3) a picture of 9 by 16 colours."""
    tiles = np.random.default_rng(seed).integers(0, 200, (9, 16, 3))
    return np.kron(tiles, np.ones((40, 40, 1))).astype(np.uint8)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import ModelSpec
from startrack.tracker.video.base import SourceError
from startrack.train.evaluation.face_patches import (
    crops_of,
    difference_px,
    patch_affine,
    patches_of_samples,
    patches_of_video,
)
from startrack.train.sets.sample import DatasetError, Sample
from tests.commands.invoke import disc_picture
from tests.conftest import MakeClip
from tests.tracker.disc_world import SPEC as DISC
from tests.tracker.disc_world import DiscDetector, disc_engine

SPEC = ModelSpec("one", "ibug_68", num_landmarks=3, input_size=128, heatmap_size=32, crop_scale=1.25)
CORNERS = np.array([[40.0, 30], [80, 30], [60, 70]])


def picture(path: Path) -> Sample:
    """Black, with a white square on the bounding square of the landmarks."""
    image = np.zeros((100, 120, 3), np.uint8)
    image[30:71, 40:81] = (0, 128, 255)
    cv2.imwrite(str(path), image)
    return Sample(path, CORNERS, "test")


@pytest.mark.parametrize("scale", [1.0, 1.25, 2.0])
def test_a_crop_shows_the_landmarks_square_at_the_model_s_scale(scale: float, tmp_path: Path) -> None:
    patches = patches_of_samples([picture(tmp_path / "one.png")], 5)
    assert patches.shape == (1, 512, 512, 3)
    crop = crops_of(patches, replace(SPEC, crop_scale=scale))[0]
    # red is high in RGB order, and the square takes 1 / scale of the crop's side
    assert crop[64, 64].tolist() == [255, 128, 0]
    assert (crop[64, :, 0] > 127).sum() == pytest.approx(min(128, 128 / scale * 41 / 40), abs=3)
    assert crops_of(patches, replace(SPEC, crop_scale=scale, colour_order="bgr"))[0, 64, 64].tolist() == [0, 128, 255]


def test_an_unknown_landmark_does_not_move_the_patch(tmp_path: Path) -> None:
    whole = picture(tmp_path / "one.png")
    partly = replace(whole, landmarks=np.concatenate([[[np.nan, np.nan]], CORNERS]))
    np.testing.assert_array_equal(patches_of_samples([partly], 1), patches_of_samples([whole], 1))


def test_faces_are_spread_evenly(tmp_path: Path) -> None:
    samples = [replace(picture(tmp_path / f"{number}.png")) for number in range(5)]
    for number, sample in enumerate(samples):
        cv2.imwrite(str(sample.path), np.full((100, 120, 3), 10 * number, np.uint8))
    assert patches_of_samples(samples, 3)[:, 256, 256, 0].tolist() == [0, 20, 40]
    with pytest.raises(DatasetError, match="no face in the data set"):
        patches_of_samples([], 3)


def test_difference_is_in_pixels_of_a_256_crop() -> None:
    points = np.zeros((2, 3, 2), np.float32)
    other = points + np.array([3, 4], np.float32)
    large = replace(SPEC, input_size=256, heatmap_size=64)
    assert difference_px((SPEC, other), (SPEC, points)) == pytest.approx(np.full((2, 3), 10))
    assert difference_px((large, other), (large, points)) == pytest.approx(np.full((2, 3), 5))
    # the same places in crops of another size and scale
    wide = replace(large, crop_scale=2.0)
    to_small, to_wide = patch_affine(SPEC), patch_affine(wide)
    patch = np.random.default_rng(0).uniform(100, 400, (2, 3, 2))
    here, there = (patch @ affine[:, :2].T + affine[:, 2] for affine in (to_small, to_wide))
    assert difference_px((wide, there), (SPEC, here)) == pytest.approx(np.zeros((2, 3)), abs=1e-9)


def test_a_video_gives_the_faces_that_the_tracker_follows(make_clip: MakeClip) -> None:
    clip = make_clip("disc.mp4", size=(200, 120), picture=disc_picture)
    with disc_engine() as engine:
        patches = patches_of_video(clip.path, 4, DiscDetector(), engine)
        crops = crops_of(patches, DISC)
        points = engine(crops).points
    assert patches.shape == (4, 512, 512, 3)
    # the disc stands in the middle of each, whatever its place in the frame
    centres = (points.max(axis=1) + points.min(axis=1)) / 2  # (4, 2)
    np.testing.assert_allclose(centres, np.full((4, 2), (DISC.input_size - 1) / 2), atol=2.5)
    empty = make_clip("empty.mp4", size=(200, 120), picture=lambda index, width, height: disc_picture(0, 200, 120) * 0)
    with disc_engine() as engine, pytest.raises(SourceError, match=r"empty\.mp4: no face in it"):
        patches_of_video(empty.path, 4, DiscDetector(), engine)

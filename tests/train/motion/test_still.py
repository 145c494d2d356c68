"""A picture that is shown for ever gives the same landmarks for ever, with the shipped models and no frame compared."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engines import load_detector, load_engine
from engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, FLOAT_LANDMARKS, zoo_path
from tracker.detect.zoo_detector import ZooDetector
from tracker.pipeline import TrackerOptions, track
from tracker.types import Frame, ImageArray
from train.data.ibug_300w import load
from train.motion.camera import Camera
from train.motion.clips import Scenario, choose_faces, make_clip

pytestmark = pytest.mark.data
FRAMES = 75


@pytest.fixture(scope="module")
def picture(data_dir: Path) -> ImageArray:
    face = choose_faces(load(data_dir / "300w", "validation"), 3)[1]
    return next(make_clip(face, Scenario("still", camera=Camera(noise=0), seconds=0.1)).make_frames())


def follow(pictures: list[ImageArray], model: str = DEFAULT_LANDMARKS) -> np.ndarray:
    """(T, 68, 2) smoothed landmarks."""
    frames = [Frame(image, index, index / 30) for index, image in enumerate(pictures)]
    with (
        load_engine(zoo_path(model)) as engine,
        closing(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))) as detect,
    ):
        tracked = list(track(frames, detect, engine, options=TrackerOptions(max_faces=1)))
    return np.array([one.tracks[0].landmarks.points for one in tracked])


def test_a_still_picture_gives_still_landmarks_after_a_second(picture: ImageArray) -> None:
    points = follow([picture] * FRAMES)[30:]
    assert np.linalg.norm(points - points[-1], axis=-1).max() < 0.01


@pytest.mark.parametrize(("model", "reach_px"), [(FLOAT_LANDMARKS, 0.1), (DEFAULT_LANDMARKS, 0.2)])
def test_one_grey_level_of_noise_moves_no_landmark_far(picture: ImageArray, model: str, reach_px: float) -> None:
    # 8-bit feature maps answer to a grey level in steps
    rng = np.random.default_rng(0)
    noisy = [(picture + rng.integers(-1, 2, picture.shape)).clip(0, 255).astype(np.uint8) for _ in range(FRAMES)]
    points = follow(noisy, model)[30:]
    assert np.linalg.norm(points - points.mean(axis=0), axis=-1).max() < reach_px

"""One id through turns, flashes, letterboxed cuts and dashes: the shipped models on the public-domain portrait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.pipeline import TrackerOptions, track_frames
from startrack.tracker.session.demo import FACE_CENTRE
from startrack.tracker.types import Frame, ImageArray
from startrack.train.motion.crowd import IdentityCounts, count_identities
from startrack.train.motion.trials import Trial, fast_crossing, flash, letterboxed_cut, turned
from startrack.train.sets import ibug_300w

SIZE = (480, 360)
Follow = Callable[[Iterator[ImageArray], int], list[list[int]]]


@pytest.fixture(scope="module")
def portrait() -> ImageArray:
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    return np.asarray(skimage_data.astronaut(), np.uint8)


@pytest.fixture(scope="module")
def follow() -> Iterator[Follow]:
    """Pictures, most faces → the ids in each frame."""
    with (
        load_engine(zoo_path(DEFAULT_LANDMARKS), threads=1) as engine,
        closing(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))) as detect,
    ):

        def ids(pictures: Iterator[ImageArray], max_faces: int) -> list[list[int]]:
            frames = (Frame(image, index, index / 30) for index, image in enumerate(pictures))
            options = TrackerOptions(max_faces=max_faces)
            return [[one.id for one in seen.tracks] for seen in track_frames(frames, detect, engine, options=options)]

        yield ids


def view(portrait: ImageArray, *, degrees: float = 0.0, x: float = 0.0) -> ImageArray:
    """The face in the middle of the picture, turned about itself and moved to the right by x pixels."""
    affine = cv2.getRotationMatrix2D(tuple(float(value) for value in FACE_CENTRE), -degrees, 1.2)
    affine[:, 2] += np.array(SIZE) / 2 - FACE_CENTRE + [x, 0]
    return cv2.warpAffine(portrait, affine, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


@pytest.mark.parametrize("max_faces", [1, 8])
@pytest.mark.parametrize("degrees", [4, -8])
def test_a_face_turned_right_around_keeps_its_id(
    portrait: ImageArray, follow: Follow, degrees: int, max_faces: int
) -> None:
    pictures = (view(portrait, degrees=degrees * t) for t in range(360 // abs(degrees) + 6))
    assert all(ids == [0] for ids in follow(pictures, max_faces))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_frame_keeps_the_id(portrait: ImageArray, follow: Follow, level: int) -> None:
    shown = [view(portrait, x=0.5 * t) for t in range(20)]
    shown[8] = np.full_like(shown[8], level)
    ids = follow(iter(shown), 8)
    assert ids[8] == []
    assert ids[:8] + ids[9:] == [[0]] * 19


@pytest.mark.data
@pytest.mark.parametrize("make", ["turned", "flashed", "barred", "dash"])
def test_trials_of_validation_faces(data_dir: Path, make: str) -> None:
    first, second = ibug_300w.load(data_dir / "300w", "validation")[:2]
    trial: Trial = {
        "turned": lambda: turned(first, 8),
        "flashed": lambda: flash(first, 255),
        "barred": lambda: letterboxed_cut(first, second),
        "dash": lambda: fast_crossing(first, second, 0.36),
    }[make]()
    with (
        load_engine(zoo_path(DEFAULT_LANDMARKS), threads=1) as engine,
        closing(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))) as detect,
    ):
        tracked = list(track_frames(trial.frames(), detect, engine))
    counts = count_identities(tracked, trial)
    assert counts == IdentityCounts(counts.visible, 0, 0, 0)
    assert len({one.id for frame in tracked for one in frame.tracks}) == trial.ids

"""No landmarks are hallucinated on a background: a track dies within 5 frames after its face is gone.

With the shipped models. The face leaves in the middle of a scene, as the cut detector, which ends every track anyway,
must not see; the backgrounds are made here or are the portrait's own, none of those that the models were trained with.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, shipped_sizes, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.motion.cuts import CutDetector
from startrack.tracker.pipeline import track_frames
from startrack.tracker.session.demo import FACE_CENTRE
from startrack.tracker.types import Frame, ImageArray
from startrack.tracker.video.source import read_video

SIZE = (640, 480)
ZOOM = 2.0
"""Frame pixels of a portrait's pixel."""
HEAD = np.array([175, 60, 275, 200])
"""xyxy on the portrait: forehead to chin."""
SHOWN, GRACE, AFTER = 8, 5, 10
"""Frames with the face, frames in which its track may die, frames after those."""


@pytest.fixture(scope="module")
def portrait() -> ImageArray:
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed (extra demo)")
    return np.asarray(skimage_data.astronaut(), np.uint8)


def view(portrait: ImageArray, x: float = 0, y: float = 0) -> ImageArray:
    """The face in the middle of the picture, moved by x, y frame pixels."""
    shift = np.array(SIZE) / 2 + [x, y] - ZOOM * np.array(FACE_CENTRE)
    affine = np.column_stack([ZOOM * np.eye(2), shift])
    return cv2.warpAffine(portrait, affine, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def plain(portrait: ImageArray) -> ImageArray:
    return np.full((SIZE[1], SIZE[0], 3), portrait[150, 225], np.uint8)  # the colour of the skin


def blobs(portrait: ImageArray) -> ImageArray:
    grid = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return cv2.resize(grid, SIZE, interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def noise(portrait: ImageArray) -> ImageArray:
    return np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def blur(portrait: ImageArray) -> ImageArray:
    return cv2.GaussianBlur(view(portrait), (0, 0), 60).astype(np.uint8)


def below_the_face(portrait: ImageArray) -> ImageArray:
    """The same scene further down: suit, flag and the model of a shuttle."""
    return view(portrait, y=-2 * (HEAD[3] - HEAD[1]))


BACKGROUNDS = (plain, blobs, noise, blur, below_the_face)


def leave_at_once(portrait: ImageArray, behind: ImageArray) -> list[ImageArray]:
    return [covered(view(portrait), behind, 1.0)]


def leave_behind_a_curtain(portrait: ImageArray, behind: ImageArray) -> list[ImageArray]:
    return [covered(view(portrait), behind, share) for share in np.linspace(0.1, 1, 10)]


def covered(image: ImageArray, behind: ImageArray, share: float) -> ImageArray:
    """The picture with the left part of the head gone."""
    middle = np.tile(np.array(SIZE) / 2 - ZOOM * np.array(FACE_CENTRE), 2)
    left, top, right, bottom = (ZOOM * HEAD + middle).round().astype(int)
    columns = slice(left, left + round(share * (right - left)))
    gone = image.copy()
    gone[top:bottom, columns] = behind[top:bottom, columns]
    return gone


def follow(pictures: list[ImageArray], model: str) -> list[list[int]]:
    """Ids of the tracks in each frame."""
    frames = (Frame(image, index, index / 30) for index, image in enumerate(pictures))
    with (
        load_engine(zoo_path(model), threads=1) as engine,
        ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))) as detect,
    ):
        return [[one.id for one in tracked.tracks] for tracked in track_frames(frames, detect, engine)]


def assert_dies(pictures: list[ImageArray], model: str) -> None:
    """The last picture is the first without the face; it stays."""
    scene_of = CutDetector()
    assert not any(scene_of(image) for image in pictures)
    ids = follow([pictures[0]] * SHOWN + pictures + [pictures[-1]] * (GRACE + AFTER - 1), model)
    assert ids[:SHOWN] == [[0]] * SHOWN
    assert ids[-AFTER:] == [[]] * AFTER


@pytest.mark.parametrize("model", shipped_sizes().values())
@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("leave", [leave_at_once, leave_behind_a_curtain])
def test_a_track_dies_when_its_face_is_covered(
    portrait: ImageArray,
    leave: Callable[[ImageArray, ImageArray], list[ImageArray]],
    background: Callable[[ImageArray], ImageArray],
    model: str,
) -> None:
    assert_dies([view(portrait), *leave(portrait, background(portrait))], model)


@pytest.mark.parametrize("model", shipped_sizes().values())
@pytest.mark.parametrize("step", [(-20, 0), (8, 0), (0, 25), (0, -25), (20, 15)])
def test_a_track_dies_when_its_face_leaves_the_picture(portrait: ImageArray, step: tuple[int, int], model: str) -> None:
    reach = ZOOM * (HEAD[2:] - HEAD[:2]) / 2 + np.array(SIZE) / 2
    frames = min(int(np.ceil(r / abs(s))) for r, s in zip(reach, step, strict=True) if s)
    pictures = [view(portrait, *(number * np.array(step))) for number in range(frames + 1)]
    assert_dies(pictures, model)


@pytest.mark.parametrize("model", shipped_sizes().values())
def test_a_face_hidden_for_a_moment_keeps_its_id(portrait: ImageArray, model: str) -> None:
    here, hidden = view(portrait), covered(view(portrait), below_the_face(portrait), 1.0)
    ids = follow([here] * SHOWN + [hidden] * 8 + [here] * SHOWN, model)
    assert ids[:SHOWN] == ids[-SHOWN:] == [[0]] * SHOWN
    assert ids[SHOWN + GRACE : SHOWN + 8] == [[]] * 3


@pytest.mark.data
@pytest.mark.parametrize("model", shipped_sizes().values())
def test_a_real_scene_without_a_face(data_dir: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clip 06: a man, then from its frame 72 a drawn sky. The cut is a hard one, so its detector is blinded."""
    monkeypatch.setattr("startrack.tracker.pipeline.CutDetector", lambda: CutDetector(min_difference=256))
    with read_video(data_dir / "clips" / "06_face_then_noface.mov") as video:
        ids = follow([frame.image for frame in itertools.islice(video, 110)], model)
    assert all(ids[:72])
    assert ids[72 + GRACE :] == [[]] * (110 - 72 - GRACE)

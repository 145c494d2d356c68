from __future__ import annotations

import cv2
import numpy as np
import pytest

from startrack.tracker.motion.surroundings import Change, Surroundings

SIZE = (1280, 720)
FACE = np.array([600.0, 200.0, 760.0, 360.0])


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(80, 160, (18, 32), dtype=np.uint8)


def seen(*boxes: np.ndarray) -> Surroundings:
    surroundings = Surroundings()
    surroundings.look(picture(), SIZE, boxes)
    return surroundings


def test_noise_and_another_light_are_no_change() -> None:
    surroundings = seen(FACE)
    noise = np.random.default_rng(1).integers(-2, 3, (18, 32))
    assert surroundings.change((picture() + noise).astype(np.uint8), SIZE, [FACE]) is Change.NONE
    assert surroundings.change((picture() + 30).astype(np.uint8), SIZE, [FACE]) is Change.NONE


def test_the_face_itself_does_not_count_where_it_was_and_where_it_is() -> None:
    moved = FACE + np.array([160, 0, 160, 0])
    now = picture()
    now[5:9, 15:22] = 20
    assert seen(FACE).change(now, SIZE, [moved]) is Change.NONE


@pytest.mark.parametrize(
    ("rows", "columns", "change"),
    [
        (slice(3, 7), slice(2, 4), Change.LOCAL),
        (slice(12, 17), slice(14, 19), Change.COMMON),  # the shoulders
        (slice(0, 18), slice(0, 14), Change.COMMON),  # the camera
    ],
)
def test_what_changes(rows: slice, columns: slice, change: Change) -> None:
    now = picture()
    now[rows, columns] = 220
    assert seen(FACE).change(now, SIZE, [FACE]) is change


def test_a_camera_that_shakes_brings_nothing_new() -> None:
    blurred = cv2.GaussianBlur(picture(), (0, 0), 1.5).astype(np.float64)
    inner = (40 + 160 * (blurred - blurred.min()) / np.ptp(blurred)).astype(np.uint8)
    surroundings = Surroundings()
    surroundings.look(inner, SIZE, [FACE])
    shaken = cv2.warpAffine(inner, np.array([[1.0, 0, 0.5], [0, 1, 0.3]]), (32, 18), borderMode=cv2.BORDER_REPLICATE)
    assert surroundings.change(np.asarray(shaken, np.uint8), SIZE, [FACE]) is Change.COMMON


def test_before_the_first_look_and_after_a_change_of_size_all_is_new() -> None:
    assert Surroundings().change(picture(), SIZE, []) is Change.LOCAL
    assert seen().change(picture(), (640, 360), []) is Change.LOCAL


@pytest.mark.parametrize("box", [[-900.0, -900.0, -500.0, -500.0], [1200.0, 600.0, 1500.0, 900.0]])
def test_faces_that_leave_the_picture(box: list[float]) -> None:
    assert seen().change(picture(), SIZE, [np.array(box)]) is Change.NONE

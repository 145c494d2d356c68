"""A face box named by the user."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.detect.fixed_detector import FixedDetector, parse_box
from startrack.tracker.types import Frame


def test_the_box_is_found_in_every_frame() -> None:
    detector = FixedDetector(parse_box("10, 20,30.5,40"))
    for size in (1, 480):
        (box,) = detector(Frame(np.zeros((size, size, 3), np.uint8), 0, 0.0))
        np.testing.assert_array_equal(box.xyxy, [10, 20, 40.5, 60])
        assert box.score == 1.0
        assert box.eyes is None
    detector.close()


@pytest.mark.parametrize("text", ["-20,-20,50,50", "630,470,50,50", "-200,-200,1000,1000", "0,0,1,1"])
def test_a_face_may_reach_beyond_the_picture(text: str) -> None:
    parse_box(text, 640, 480)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected X,Y,W,H in pixels"),
        ("1,2,3", "expected X,Y,W,H in pixels"),
        ("1,2,3,4,5", "expected X,Y,W,H in pixels"),
        ("1,2,3,wide", "expected X,Y,W,H in pixels"),
        ("1,2,0,4", "expected a width and a height above 0"),
        ("1,2,3,-4", "expected a width and a height above 0"),
        ("1,2,nan,4", "expected a width and a height above 0"),
        ("nan,2,3,4", "expected a face in the picture of 640×480 pixels"),
        ("inf,2,3,4", "expected a face in the picture of 640×480 pixels"),
        ("640,2,3,4", "expected a face in the picture of 640×480 pixels"),
        ("1,-4,3,4", "expected a face in the picture of 640×480 pixels"),
        ("1,2,inf,4", "expected a face in the picture of 640×480 pixels"),
        ("1,2,1e30,1e30", "expected a face in the picture of 640×480 pixels"),
    ],
)
def test_what_is_no_box_is_named(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        parse_box(text, 640, 480)
    assert str(caught.value) == f"{text!r}; {expected}"

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.shipping.mine_false_finds import false_finds
from startrack.tracker.detect.fixed_detector import FixedDetector, parse_box
from startrack.tracker.types import FaceBox
from startrack.train.sets.face_photos import FacePhoto, add_mistaken, load_face_photos
from startrack.train.sets.sample import DatasetError


def found(x: float, y: float, side: float, score: float) -> FixedDetector:
    """A detector that finds this one square in any picture."""
    box = parse_box(f"{x - side / 2},{y - side / 2},{side},{side}")
    return FixedDetector(FaceBox(box.xyxy, score))


@pytest.fixture
def photo(tmp_path: Path) -> FacePhoto:
    """A face of 40 pixels at (50, 50), and perhaps one of 20 at (150, 50)."""
    cv2.imwrite(str(tmp_path / "1_a.png"), np.zeros((200, 200, 3), np.uint8))
    rows = [[30, 30, 40, 40], [140, 40, 20, 20, 0.3]]
    (tmp_path / "faces.json").write_text(json.dumps({"images": {"1_a.png": rows}}))
    return load_face_photos(tmp_path)[0]


def test_what_touches_no_face_is_a_false_find(photo: FacePhoto) -> None:
    # 17 pixels from the face's centre, of its 40: its part, however small; 19 away: none of it, their IoU is 0.02
    near, apart = found(67, 50, 8, 0.5), found(69, 50, 8, 0.5)
    assert false_finds([near], photo) == []
    assert false_finds([apart], photo) == [[69, 50, 8, 0.5]]
    # a square of 30 beside the face shares 15x30 of 2050 with it: 0.22; of 16 less 4, 0.31
    assert false_finds([found(70, 50, 30, 0.5)], photo) == [[70, 50, 30, 0.5]]
    # and where there may be a face nothing is sure
    assert false_finds([found(152, 50, 20, 0.9)], photo) == []


def test_one_thing_is_found_once_best_first(photo: FacePhoto) -> None:
    finds = [found(100, 150, 20, 0.3), found(101, 150, 20, 0.6), found(150, 150, 20, 0.9)]
    assert false_finds(finds, photo) == [[150, 150, 20, 0.9], [101, 150, 20, 0.6]]


def test_photos_take_up_their_false_finds(photo: FacePhoto, tmp_path: Path) -> None:
    listing = tmp_path / "mistaken.json"
    assert add_mistaken([photo], listing)[0].mistaken.shape == (0, 3)
    listing.write_text(json.dumps({"images": {"1_a.png": [[150, 150, 20, 0.9]], "1_b.png": [[1, 2, 3, 0.5]]}}))
    assert add_mistaken([photo], listing)[0].mistaken.tolist() == [[150, 150, 20]]
    for bad in ("[]", '{"images": {"1_a.png": [[1, 2, -3]]}}', '{"images": {"1_a.png": [["x", 2, 3]]}}'):
        listing.write_text(bad)
        with pytest.raises(DatasetError, match="expected 'images', file name → rows of x, y, side"):
            add_mistaken([photo], listing)

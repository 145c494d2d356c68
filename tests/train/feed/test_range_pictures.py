from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from startrack.train.feed.range_pictures import DIMMED_EVERY, PHOTO_SHAPE, range_photos
from startrack.train.recipes.face_detector import DETECTOR_SPEC
from startrack.train.sets.face_photos import FacePhoto


def test_photos_of_any_shape_are_shown_alike_some_of_them_dimmed(tmp_path: Path) -> None:
    photos = []
    for number, (rows, columns) in enumerate([(300, 500), (640, 320), (100, 90), (480, 640)] * 2):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((rows, columns, 3), 200, np.uint8))
        photos.append(FacePhoto(path, np.zeros((0, 3)), np.zeros((0, 2, 2)), np.zeros((0, 3))))
    pictures = range_photos(photos, DETECTOR_SPEC, 8, seed=0)
    assert [picture.shape for picture in pictures] == [(1, *PHOTO_SHAPE, 3)] * 8
    brightest = [int(picture.max()) for picture in pictures]
    assert [value < 200 for value in brightest] == [number % DIMMED_EVERY == 0 for number in range(8)]
    assert len(range_photos(photos, DETECTOR_SPEC, 3, seed=0)) == 3

"""The shipped detector: its geometry on a made engine, the real file where it is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from startrack.engines import load_detector
from startrack.engines.base import CropArray, DetectionBatch, DetectorSpec, EngineError, check_pictures
from startrack.engines.zoo import zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.types import Frame
from startrack.train.sets import ibug_300w
from startrack.train.sets.face_photos import corners_to_square

SPEC = DetectorSpec("made", strides=(8, 16, 32), input_size=320, smallest_face=16, min_score=0.5, max_overlap=0.4)


class MadeEngine:
    """Finds the same squares in every picture, and remembers the pictures."""

    def __init__(self, squares: list[tuple[float, float, float]], scores: list[float]) -> None:
        self.spec = SPEC
        self.squares, self.scores = np.array(squares, np.float32).reshape(-1, 3), np.array(scores, np.float32)
        self.closed = False
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, pictures: CropArray) -> DetectionBatch:
        check_pictures(self.spec, pictures)
        self.seen = pictures
        self.shapes.append(pictures.shape)
        eyes = np.stack([self.squares[:, :2] - [4, 2], self.squares[:, :2] + [4, -2]], axis=1)
        return DetectionBatch(self.scores[None], self.squares[None], eyes[None].astype(np.float32))

    def close(self) -> None:
        self.closed = True


def frame(height: int, width: int) -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8), 0, 0.0)


def test_boxes_and_eyes_are_in_frame_pixels_best_first() -> None:
    engine = MadeEngine([(79.5, 49.5, 20), (80.5, 49.5, 20), (200, 100, 40), (30, 30, 20)], [0.8, 0.77, 0.9, 0.2])
    detect = ZooDetector(engine)
    boxes = detect(frame(720, 1280))
    assert engine.seen.shape == (1, 192, 320, 3)
    assert [box.score for box in boxes] == pytest.approx([0.9, 0.8])
    assert boxes[1].xyxy == pytest.approx([279.5, 159.5, 359.5, 239.5])
    assert boxes[1].eyes is not None
    assert boxes[1].eyes == pytest.approx(np.array([[303.5, 191.5], [335.5, 191.5]]))
    assert len(ZooDetector(engine, min_score=0.1)(frame(720, 1280))) == 3
    detect.close()
    assert engine.closed


def test_the_input_size_is_a_parameter() -> None:
    engine = MadeEngine([], [])
    assert ZooDetector(engine, input_size=160)(frame(720, 1280)) == []
    assert engine.shapes == [(1, 96, 160, 3)]
    with pytest.raises(EngineError, match="input size 16 asked for, expected 32 or more"):
        ZooDetector(engine, input_size=16)
    assert engine.closed


def test_a_large_input_is_looked_at_in_a_small_size_too_for_near_faces_alone() -> None:
    engine = MadeEngine([(80, 45, 70), (20, 20, 30)], [0.9, 0.8])
    boxes = ZooDetector(engine, input_size=640)(frame(720, 1280))
    assert engine.shapes == [(1, 384, 640, 3), (1, 96, 160, 3)]
    # each look's squares are scaled by its own factor
    found = sorted((float(box.xyxy[2] - box.xyxy[0]), float(box.xyxy[0] + box.xyxy[2]) / 2) for box in boxes)
    assert np.array(found) == pytest.approx(np.array([[60, 40.5], [140, 160.5], [560, 643.5]]))


def test_a_face_found_in_both_sizes_is_one_face() -> None:
    class Both(MadeEngine):
        def __call__(self, pictures: CropArray) -> DetectionBatch:
            zoom = pictures.shape[2] / 320
            self.squares = np.array([[160 * zoom, 80 * zoom, 150 * zoom]], np.float32)
            self.scores = np.array([0.7 if zoom > 1 else 0.9], np.float32)
            return super().__call__(pictures)

    (box,) = ZooDetector(Both([], []), input_size=640)(frame(720, 1280))
    assert box.score == pytest.approx(0.9)
    assert box.xyxy[2] - box.xyxy[0] == pytest.approx(600)


@pytest.mark.parametrize(("size", "shape"), [(640, (240, 320)), (640, (100, 90)), (320, (720, 1280))])
def test_one_look_is_enough_for_small_frames(size: int, shape: tuple[int, int]) -> None:
    engine = MadeEngine([], [])
    ZooDetector(engine, input_size=size)(frame(*shape))
    assert len(engine.shapes) == 1


def test_a_model_for_bgr_gets_bgr() -> None:
    engine = MadeEngine([], [])
    engine.spec = replace(SPEC, colour_order="bgr")
    picture = frame(32, 32)
    ZooDetector(engine)(picture)
    assert (engine.seen[0] == picture.image[..., ::-1]).all()


class Closely(MadeEngine):
    """Answers each crop of a closer look by one square in its middle, of that many crop pixels."""

    def __init__(self, squares: list[tuple[float, float, float]], scores: list[float], answers: list[float]) -> None:
        super().__init__(squares, scores)
        self.answers = answers
        self.side = 51.2  # of 128, as a face in two and a half times its side

    def __call__(self, pictures: CropArray) -> DetectionBatch:
        if pictures.shape[1:3] != (128, 128):
            return super().__call__(pictures)
        self.seen, count = pictures, len(pictures)
        squares = np.broadcast_to(np.float32([63.5, 63.5, self.side]), (count, 1, 3))
        scores = np.float32(self.answers[:count]).reshape(count, 1)
        return DetectionBatch(scores, squares, np.zeros((count, 1, 2, 2), np.float32))


def test_a_doubtful_find_has_the_mean_score_of_two_looks() -> None:
    """One is sure, two are in doubt; 0.2 is nothing, and half of 0.45 and 0.5 is too little."""
    squares = [(60.0, 50.0, 20.0), (120, 50, 20), (180, 50, 20), (240, 50, 20)]
    engine = Closely(squares, [0.8, 0.45, 0.6, 0.2], [1.0, 0.5])
    boxes = ZooDetector(engine)(frame(720, 1280))
    assert [(box.score, float(box.xyxy[:3:2].mean())) for box in boxes] == [
        (pytest.approx(0.8), pytest.approx(241.5)),
        (pytest.approx(0.8), pytest.approx(721.5)),
    ]
    # the weaker one, of which the second look is as sure as the first was not
    engine.answers = [0.2, 0.95]
    boxes = ZooDetector(engine)(frame(720, 1280))
    assert [box.score for box in boxes] == pytest.approx([0.8, 0.7])
    assert boxes[1].xyxy[:3:2].mean() == pytest.approx(481.5)


def test_a_find_that_no_closer_look_could_lift_to_the_threshold_is_not_looked_at() -> None:
    squares = [(60.0, 50.0, 20.0), (120, 50, 20), (180, 50, 20)]
    engine = Closely(squares, [0.62, 0.52, 0.48], [0.7, 0.8])
    boxes = ZooDetector(engine, min_score=0.65)(frame(720, 1280))  # 0.48 would need 0.82
    assert len(engine.seen) == 2
    assert [box.score for box in boxes] == pytest.approx([0.66, 0.66])


def test_another_thing_in_the_closer_look_says_nothing_of_the_find() -> None:
    engine = Closely([(60.0, 50.0, 20.0)], [0.6], [1.0])
    engine.side = 30.0  # (30/51.2)² of the area is less than 0.4
    assert ZooDetector(engine)(frame(720, 1280)) == []
    engine.side = 35.0
    assert len(ZooDetector(engine)(frame(720, 1280))) == 1


def test_the_closer_look_shows_the_frame_around_the_find_and_not_the_shrunk_picture() -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)
    # a find of 20 pixels at (60, 50) of 320 is one of 80 at (241.5, 201.5) of 1280: shown are 200, to a crop of 128
    picture[102:302, 142:342, 1] = 255
    picture[201, 241] = 255
    engine = Closely([(60.0, 50.0, 20.0)], [0.6], [0.6])
    ZooDetector(engine)(Frame(picture, 0, 0.0))
    assert engine.seen.shape == (1, 128, 128, 3)
    assert (engine.seen[0, 2:-2, 2:-2, 1] == 255).all()
    assert engine.seen[0, ..., 0].argmax() in (63 * 128 + 63, 63 * 128 + 64, 64 * 128 + 63, 64 * 128 + 64)


def test_no_more_than_some_finds_are_looked_at_closely() -> None:
    squares = [(30.0 + 25 * index, 50.0, 20.0) for index in range(11)]
    engine = Closely(squares, [0.6] * 11, [1.0] * 11)
    boxes = ZooDetector(engine)(frame(720, 1280))
    assert len(engine.seen) == 8
    assert [box.score for box in boxes] == pytest.approx([0.8] * 8 + [0.6] * 3)


def test_a_doubtful_find_on_a_followed_face_keeps_its_score_without_a_second_look() -> None:
    # squares of 80 pixels of the frame, their middles at 241.5, 481.5 and 721.5 across, 201.5 down
    engine = Closely([(60.0, 50.0, 20.0), (120, 50, 20), (180, 50, 20)], [0.64, 0.6, 0.45], [0.9])
    known = [np.array([201.5, 161.5, 281.5, 241.5]), np.array([701.5, 161.5, 781.5, 241.5])]  # IoU 1 and 0.6
    boxes = ZooDetector(engine).find_beside(frame(720, 1280), known)
    # only the second is looked at; the third keeps a score that is too small
    assert engine.shapes == [(1, 192, 320, 3)]
    assert engine.seen.shape == (1, 128, 128, 3)
    assert [(box.score, float(box.xyxy[:3:2].mean())) for box in boxes] == [
        (pytest.approx(0.75), pytest.approx(481.5)),
        (pytest.approx(0.64), pytest.approx(241.5)),
    ]


def test_one_followed_face_vouches_for_one_find_only() -> None:
    """Two finds side by side, each over a third of a known face: the nearer one is it, the other is looked at."""
    engine = Closely([(60.0, 50.0, 20.0), (72, 50, 20)], [0.64, 0.6], [0.2])
    known = [np.array([221.5, 161.5, 301.5, 241.5])]  # 20 and 28 pixels beside the finds: IoU 0.6 and 0.48
    (box,) = ZooDetector(engine).find_beside(frame(720, 1280), known)
    assert engine.seen.shape == (1, 128, 128, 3)
    assert box.xyxy[:3:2].mean() == pytest.approx(241.5)


def test_a_find_far_from_every_followed_face_is_looked_at() -> None:
    engine = Closely([(60.0, 50.0, 20.0)], [0.6], [0.8])
    known = [np.array([251.5, 161.5, 331.5, 241.5])]  # 50 pixels beside it: IoU 30 / 130
    (box,) = ZooDetector(engine).find_beside(frame(720, 1280), known)
    assert box.score == pytest.approx(0.7)


@pytest.fixture(scope="module")
def shipped() -> ZooDetector:
    if not zoo_path("face-detector").is_file():
        pytest.skip("no engines/zoo/face-detector.onnx")
    return ZooDetector(load_detector(zoo_path("face-detector")))


def test_the_shipped_file_is_small_and_finds_nothing_in_nothing(shipped: ZooDetector) -> None:
    assert zoo_path("face-detector").stat().st_size <= 1e6
    assert shipped(Frame(np.zeros((90, 160, 3), np.uint8), 0, 0.0)) == []
    assert shipped(Frame(np.full((360, 640, 3), 127, np.uint8), 0, 0.0)) == []


@pytest.mark.data
def test_held_back_faces_are_found_upright(shipped: ZooDetector, data_dir: Path) -> None:
    found = 0
    samples = ibug_300w.load(data_dir / "300w", "validation")[::4]
    for sample in samples:
        low, high = sample.landmarks.min(axis=0), sample.landmarks.max(axis=0)
        for box in shipped(Frame(sample.read_image(), 0, 0.0)):
            apart = np.abs(corners_to_square(box.xyxy)[:2] - (low + high) / 2).max()
            if apart < 0.2 * (high - low).max():
                assert box.eyes is not None
                assert box.eyes[0, 0] < box.eyes[1, 0]
                found += 1
                break
    assert found >= 0.95 * len(samples)

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.crop import transform_points
from startrack.tracker.schemes import COFW_29, IBUG_68, plain_scheme
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.crops_sink import CropsSink, aligning_affine, template
from startrack.tracker.types import Frame, Landmarks, Roi, StageLatency, Track, TrackedFrame
from tests.tracker.sinks.faces import face, tracked


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_every_face_comes_to_the_same_place(angle: float, factor: float) -> None:
    mean = template(112)
    turn = factor * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = mean @ turn.T + [640, 360]
    np.testing.assert_allclose(transform_points(aligning_affine(points, 112), points), mean, atol=1e-6)


def test_size_and_margin() -> None:
    close, wide = template(112, 0.0), template(224, 0.5)
    assert np.ptp(close, axis=0).max() == pytest.approx(112)
    assert np.ptp(wide, axis=0).max() == pytest.approx(112)
    for points, size in ((close, 112), (wide, 224)):
        np.testing.assert_allclose((points.min(0) + points.max(0)) / 2, (size - 1) / 2)


def test_an_open_mouth_does_not_move_the_eyes() -> None:
    points = template(112).copy()
    points[list(range(6, 11)) + list(range(55, 60))] += [0, 12]
    np.testing.assert_allclose(aligning_affine(points, 112), [[1, 0, 0], [0, 1, 0]], atol=1e-6)


def test_pictures_are_openfaces_by_name_and_as_large_as_asked(tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    with CropsSink(folder, IBUG_68, size=64) as sink:
        sink.write(tracked(face(0), face(12)))
        sink.write(tracked())
    assert sorted(path.name for path in folder.iterdir()) == ["frame_det_00_000001.png", "frame_det_12_000001.png"]
    picture = cv2.imread(str(folder / "frame_det_12_000001.png"))
    assert picture is not None
    assert picture.shape == (64, 64, 3)


def test_colours_are_those_of_the_frame(tmp_path: Path) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[..., 0] = 200
    frame = TrackedFrame(Frame(image, 6, 0.0), (face(),), StageLatency())
    with CropsSink(tmp_path / "crops", IBUG_68) as sink:
        sink.write(frame)
    picture = cv2.imread(str(tmp_path / "crops" / "frame_det_00_000007.png"))
    assert picture is not None
    assert picture[56, 56].tolist() == [0, 0, 200]  # blue, green, red


@pytest.mark.parametrize("scheme", [COFW_29, plain_scheme(5)], ids=lambda scheme: scheme.name)
def test_other_markups_are_cut_by_their_box(tmp_path: Path, scheme: object) -> None:
    from startrack.tracker.schemes import LandmarkScheme

    assert isinstance(scheme, LandmarkScheme)
    count = scheme.num_landmarks
    points = np.random.default_rng(0).uniform(100, 200, (count, 2))
    marks = Landmarks(points, np.tile(np.eye(2), (count, 1, 1)), np.ones(count), 1.0)
    track = Track(0, marks, np.array([100.0, 100, 200, 200]), Roi(np.zeros(2), 1.0))
    with CropsSink(tmp_path / "crops", scheme) as sink:
        sink.write(tracked(track))
    assert len(list((tmp_path / "crops").iterdir())) == 1


def test_pictures_of_another_run_are_kept_unless_replaced(tmp_path: Path) -> None:
    old = tmp_path / "frame_det_00_000009.png"
    old.write_text("precious")
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(SinkError, match="holds aligned faces already; expected another folder, or --overwrite"):
        CropsSink(tmp_path, IBUG_68)
    assert old.exists()
    CropsSink(tmp_path, IBUG_68, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt"}
    with pytest.raises(SinkError, match=r"mine\.txt: cannot be made"):
        CropsSink(tmp_path / "mine.txt", IBUG_68)

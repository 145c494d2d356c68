from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import EngineError
from startrack.tracker.detect.yunet_detector import YuNetDetector
from startrack.tracker.types import Frame


class MadeNative:
    """In place of cv2.FaceDetectorYN."""

    def __init__(self, rows: np.ndarray | None) -> None:
        self.rows = rows
        self.size = (0, 0)

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802
        self.size = size

    def detect(self, picture: np.ndarray) -> tuple[int, np.ndarray | None]:
        self.picture = picture
        return 1, self.rows


def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: np.ndarray | None) -> tuple[YuNetDetector, MadeNative]:
    native = MadeNative(rows)
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *_: native)
    (tmp_path / "yunet.onnx").write_bytes(b"model")
    return YuNetDetector(tmp_path / "yunet.onnx"), native


def test_points_become_our_box_in_frame_pixels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    points = [40.0, 40, 60, 40, 50, 52, 42, 62, 58, 62]
    rows = np.array([[30, 20, 40, 55, *points, 0.7], [130, 20, 40, 55, *points, 0.9]], np.float32)
    detect, native = made(monkeypatch, tmp_path, rows)
    image = np.zeros((720, 1280, 3), np.uint8)
    image[..., 0] = 255
    first, second = detect(Frame(image, 0, 0.0))
    assert native.size == (320, 192)
    assert native.picture[0, 0].tolist() == [0, 0, 255]
    assert (first.score, second.score) == pytest.approx((0.9, 0.7))
    assert first.eyes == pytest.approx(np.array([[161.5, 161.5], [241.5, 161.5]]))
    side = first.xyxy[2] - first.xyxy[0]
    assert side == pytest.approx(first.xyxy[3] - first.xyxy[1])
    assert 180 < side < 270
    detect.close()
    with pytest.raises(EngineError, match="closed"):
        detect(Frame(image, 0, 0.0))


def test_no_face(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert made(monkeypatch, tmp_path, None)[0](Frame(np.zeros((64, 64, 3), np.uint8), 0, 0.0)) == []


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"missing\.onnx: no such detector model"):
        YuNetDetector(tmp_path / "missing.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError, match=r"bad\.onnx: OpenCV"):
        YuNetDetector(tmp_path / "bad.onnx")

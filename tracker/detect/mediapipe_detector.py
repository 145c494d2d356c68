"""Faces by MediaPipe's full-range detector, its boxes mapped to ours: brows to chin, as the crops of training."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import EngineError
from startrack.tracker.crop import eye_angle
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.types import FaceBox, FloatArray, Frame, ImageArray

INSTALL_HINT = (
    "mediapipe is not installed: it brings an OpenCV of its own and so needs startrack-core in place of startrack: "
    "pip install 'startrack-core[mediapipe,onnxruntime]' (README, Install)"
)
DETECTION_SIDE = 640
"""Pictures are averaged down by a whole factor while their longer side stays at or above this. On 720p: 4.8 CPU ms
instead of 5.9 and the same faces (5.37 and 5.33 per frame, clip 10); the network itself sees 192 pixels."""

# Fitted by benchmarks/fits/fit_detector_box.py, which states the residuals. Unit: the side of MediaPipe's square.
SHIFT_ACROSS = np.array([-0.0187, 0.5141, -0.4426, 0.8379, -0.3534])
"""(5,) weights of the odd features (see shape_features): how far our centre lies to the right of the square's."""
SHIFT_DOWN = np.array([0.5311, -0.1703, 0.4127, 0.0512, -0.4112, 0.2361, 0.0711])
"""(7,) weights of the even features: how far our centre lies below the square's, towards the chin."""
SIDE = np.array([1.7794, -2.4560, 1.9004, -1.3249, -1.1819, 1.0846, 0.3601])
"""(7,) weights of the even features: our side."""
SHIFT_LIMIT = 0.5
SIDE_LIMITS = (0.6, 1.5)
"""Fitted sides of training faces lie between 0.77 and 1.28; beyond these limits the key points are nonsense."""


class MediaPipeDetector(FaceDetector):
    """The FaceDetector of MediaPipe Tasks with the full-range sparse model (faces up to about 5 m away).

    Image mode: video mode gave bit-identical results on 60 of 60 frames and refuses timestamps that do not grow.
    """

    def __init__(self, model_path: Path, *, min_score: float = 0.5) -> None:
        """model_path: the .tflite file (tracker.detect.fetch finds it). min_score: 0..1, weaker detections are dropped.

        Raises EngineError when mediapipe is not installed or does not take the file.
        """
        self._native = create_native(model_path, min_score)

    def __call__(self, frame: Frame) -> list[FaceBox]:
        """All faces of the frame, best score first, boxes and eyes in frame pixels. Raises EngineError after close."""
        if self._native is None:
            raise EngineError("the MediaPipe detector is closed; make a new one")
        small, factor = shrink(frame.image)
        detections = self._native.detect(native_image(small)).detections
        height, width = small.shape[:2]
        boxes = [_face_box(detection, width * factor, height * factor, factor) for detection in detections]
        return sorted(boxes, key=lambda box: -box.score)

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        if self._native is not None:
            with _quiet_stderr():
                self._native.close()
            self._native = None


def shrink(image: ImageArray) -> tuple[ImageArray, int]:
    """(H, W, 3) → the picture averaged down by a whole factor, and the factor; some last rows may be left out."""
    height, width = image.shape[:2]
    factor = min(max(height, width) // DETECTION_SIDE, min(height, width))
    if factor < 2:
        return image, 1
    rows, columns = height // factor, width // factor
    whole = image[: rows * factor, : columns * factor]
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), factor  # type: ignore[return-value]


def shape_features(
    centre: FloatArray, side: float, key_points: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The basis of the box: the key points seen from MediaPipe's square, along the face's upright axes.

    centre: (2,), side: MediaPipe's square, pixels. key_points: (6, 2) pixels: the eye on the face's right (the
    picture's left), the other eye, nose, mouth, right and left ear.
    Returns (5,) odd features, which change sign when the picture is mirrored, (7,) even ones, the last of them 1, and
    (2, 2) the upright axes as columns in the frame; features are in units of the side.
    """
    angle = eye_angle(key_points[0], key_points[1])
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    first_eye, second_eye, nose, mouth, first_ear, second_ear = (key_points - centre) @ axes / side
    eyes, ears = (first_eye + second_eye) / 2, (first_ear + second_ear) / 2
    eye_gap, ear_gap = second_eye - first_eye, second_ear - first_ear
    odd = np.array([eyes[0], nose[0], mouth[0], ears[0], ear_gap[1]])
    even = np.array([eyes[1], nose[1], mouth[1], ears[1], eye_gap[0], ear_gap[0], 1.0])
    return odd, even, axes


def to_face_box(centre: FloatArray, side: float, key_points: FloatArray, score: float) -> FaceBox:
    """MediaPipe's square and key points → our box: the square on the centre of the landmarks' bounding box (in the
    upright axes of the eyes) with its larger side, so that the crop around it is the one training cuts.

    Arguments as in shape_features, frame pixels.
    """
    odd, even, axes = shape_features(centre, side, key_points)
    shift = np.clip([odd @ SHIFT_ACROSS, even @ SHIFT_DOWN], -SHIFT_LIMIT, SHIFT_LIMIT)
    half = side * float(np.clip(even @ SIDE, *SIDE_LIMITS)) / 2
    middle = centre + side * (axes @ shift)
    return FaceBox(xyxy=np.concatenate([middle - half, middle + half]), score=score, eyes=key_points[:2].copy())


def _face_box(detection: Any, width: int, height: int, factor: int) -> FaceBox:
    """A native detection in a picture shrunk by `factor` from width×height → our box in frame pixels."""
    native = detection.bounding_box
    # MediaPipe's coordinates count from the corner of the first pixel, ours from its centre
    centre = np.array([native.origin_x + native.width / 2, native.origin_y + native.height / 2]) * factor - 0.5
    key_points = np.array([[point.x * width, point.y * height] for point in detection.keypoints]) - 0.5
    side = max(native.width, native.height, 1) * float(factor)
    return to_face_box(centre, side, key_points, float(detection.categories[0].score))


def create_native(model_path: Path, min_score: float) -> Any:
    """MediaPipe's own detector, warmed up, in image mode. Raises EngineError as MediaPipeDetector does."""
    try:
        with _quiet_stderr():
            from mediapipe.tasks.python import vision
            from mediapipe.tasks.python.core.base_options import BaseOptions
    except ImportError as error:
        raise EngineError(INSTALL_HINT if error.name == "mediapipe" else f"mediapipe: {error}") from error
    options = vision.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_path=str(model_path)), min_detection_confidence=min_score
    )
    native = None
    try:
        with _quiet_stderr():
            native = vision.FaceDetector.create_from_options(options)
            native.detect(native_image(np.zeros((64, 64, 3), np.uint8)))  # the first picture writes to stderr too
    except (RuntimeError, ValueError, OSError) as error:
        if native is not None:
            native.close()
        version = metadata.version("mediapipe")
        raise EngineError(
            f"{model_path}: mediapipe {version} (1.0 or newer expected) cannot run it: {error}"
        ) from error
    return native


def native_image(image: ImageArray) -> Any:
    """(H, W, 3) uint8 RGB as MediaPipe wants it."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silence native code that writes past sys.stderr: 46 warnings per model made."""
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all, e.g. under pythonw
        yield
        return
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(saved, 2)
        for descriptor in (saved, silent):
            with suppress(OSError):
                os.close(descriptor)

"""Faces by YuNet (Wu et al., MIR 2023) in OpenCV, from a model file of the user's; its points mapped to our box."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from startrack.engines.base import EngineError
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.five_points import box_from_five_points
from startrack.tracker.detect.letterbox import letterbox
from startrack.tracker.types import FaceBox, Frame

STEP = 32
"""YuNet's largest stride."""
MAX_OVERLAP = 0.3
MAX_CANDIDATES = 5000
INPUT_SIZE = 320
"""Longer side in pixels that frames are shrunk to by default."""


class YuNetDetector(FaceDetector):
    """cv2.FaceDetectorYN, e.g. with opencv_zoo's face_detection_yunet_2023mar.onnx."""

    def __init__(self, model_path: Path, *, input_size: int = INPUT_SIZE, min_score: float = 0.6) -> None:
        """input_size: longer side in pixels that frames are shrunk to. min_score: 0..1, weaker detections are dropped.

        Raises EngineError when the file is missing or OpenCV does not take it.
        """
        if not model_path.is_file():
            raise EngineError(f"{model_path}: no such detector model; expected a YuNet .onnx file")
        self._path, self._input_size = model_path, input_size
        try:
            self._native: cv2.FaceDetectorYN | None = cv2.FaceDetectorYN.create(
                str(model_path), "", (STEP, STEP), min_score, MAX_OVERLAP, MAX_CANDIDATES
            )
            self._native.detect(np.zeros((STEP, STEP, 3), np.uint8))
        except cv2.error as error:
            raise EngineError(f"{model_path}: OpenCV {cv2.__version__} cannot run it as YuNet: {error.err}") from error

    def __call__(self, frame: Frame) -> list[FaceBox]:
        """All faces of the frame, best score first, boxes and eyes in frame pixels. Raises EngineError after close."""
        if self._native is None:
            raise EngineError("the YuNet detector is closed; make a new one")
        boxed = letterbox(frame.image, self._input_size, STEP)
        self._native.setInputSize((boxed.picture.shape[1], boxed.picture.shape[0]))
        try:
            # OpenCV's detector takes BGR
            found = self._native.detect(np.ascontiguousarray(boxed.picture[..., ::-1]))[1]
        except cv2.error as error:
            raise EngineError(f"{self._path}: OpenCV failed: {error.err}") from error
        # x, y, w, h, then x, y of right eye, left eye, nose, right and left mouth corner, score; None for no face
        rows = np.zeros((0, 15)) if found is None else np.asarray(found, np.float64)
        boxes = [box_from_five_points(boxed.to_frame(row[4:14].reshape(5, 2)), float(row[14])) for row in rows]
        return sorted(boxes, key=lambda box: -box.score)

    def close(self) -> None:
        """Free the model. Safe to call twice."""
        self._native = None

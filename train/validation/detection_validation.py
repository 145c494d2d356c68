"""Recipe.validate for face detectors: AP and recall on whole photos, as the tracker would look at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from startrack.engines.base import CropArray, DetectionBatch, DetectorEngine, DetectorSpec, EngineError, check_pictures
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.train.evaluation.evaluate_faces import evaluate_faces
from startrack.train.metrics.detection import score_detections
from startrack.train.sets.face_photos import FacePhoto

LOWEST_SCORE = 0.05
SIDE = 32.0
"""Pixels of the photo: the faces that count."""


class TorchDetectorEngine(DetectorEngine):
    """A live network as a DetectorEngine."""

    def __init__(self, deployed: nn.Module, spec: DetectorSpec, device: str = "cpu") -> None:
        self._deployed: nn.Module | None = deployed.eval()
        self._device = device
        self._spec = spec

    @property
    def spec(self) -> DetectorSpec:
        return self._spec

    @torch.inference_mode()
    def __call__(self, pictures: CropArray) -> DetectionBatch:
        """See engines.base.DetectorEngine."""
        check_pictures(self._spec, pictures)
        if self._deployed is None:
            raise EngineError(f"{self._spec.name}: the detector is closed")
        output = self._deployed(torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device))
        return DetectionBatch(*(value.float().cpu().numpy() for value in output))

    def close(self) -> None:
        """Let go of the module, which lives on where the caller keeps it."""
        self._deployed = None


def detection_validation(
    photos: Sequence[FacePhoto], spec: DetectorSpec, deployed: Callable[[nn.Module], nn.Module]
) -> Callable[[nn.Module, str], dict[str, float]]:
    """A Recipe.validate in per cent, over faces of at least SIDE pixels. deployed: network → exported network."""

    def validate(network: nn.Module, device: str) -> dict[str, float]:
        engine = TorchDetectorEngine(deployed(network), spec, device)
        detect = ZooDetector(engine, min_score=LOWEST_SCORE)
        scored = score_detections(evaluate_faces(detect, photos, spec.name).pictures, min_side=SIDE)
        return {
            "validation_ap": 100 * scored.average_precision(),
            "validation_recall10": 100 * scored.recall_at(10)[0],
            "validation_recall": 100 * scored.at_score(spec.min_score)[0],
            "validation_false": float(scored.at_score(spec.min_score)[1]),
        }

    return validate

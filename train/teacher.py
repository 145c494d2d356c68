"""A trained network as the teacher of another: landmarks and their spread for every crop of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engines.base import EngineError, ModelSpec
from tracker.crop import crop_affine, cut_crop, invert_affine, transform_points
from tracker.types import FloatArray, ImageArray, Roi
from train.data.taught_faces import TaughtItem
from train.models.landmark_head import LandmarkOutput


class TaughtBatch(NamedTuple):
    """B crops with what is known of them and what the teacher says; lengths in pixels of the student's crop."""

    crops: Tensor
    """(B, S, S, 3) uint8."""
    landmarks: Tensor
    """(B, K, 2), true where weight is above 0."""
    presence: Tensor
    """(B,) 1 for a face."""
    weight: Tensor
    """(B,) of the true landmarks."""
    taught_points: Tensor
    """(B, K, 2)."""
    taught_covariance: Tensor
    """(B, K, 2, 2)."""


class Teacher:
    """Reads crops in bfloat16, on the device that they are on."""

    def __init__(self, spec: ModelSpec, deployed: nn.Module) -> None:
        """deployed: crops → LandmarkOutput, as train.recipes.load gives it."""
        self.spec = spec
        self._deployed = deployed.eval().requires_grad_(False)

    @torch.no_grad()
    def read(self, crops: Tensor) -> LandmarkOutput:
        """Landmarks of (B, T, T, 3) uint8 crops, in their pixels."""
        self._deployed.to(crops.device)
        with torch.autocast(crops.device.type, dtype=torch.bfloat16):
            said: LandmarkOutput = self._deployed(crops)
        return said

    def teaching(self, student: ModelSpec) -> Callable[[TaughtItem, str], TaughtBatch]:
        """A Recipe.prepare: what the student's loss takes. Raises EngineError for another number of landmarks."""
        if self.spec.num_landmarks != student.num_landmarks:
            ours, theirs = student.num_landmarks, self.spec.num_landmarks
            raise EngineError(f"teacher {self.spec.name}: {theirs} landmarks; expected the student's {ours}")
        zoom = student.input_size / self.spec.input_size

        def prepare(batch: TaughtItem, device: str) -> TaughtBatch:
            said = self.read(batch.teacher_crops)
            # pixel centres are integers in both crops, so their edges, half a pixel further out, coincide
            points = (said.points.float() + 0.5) * zoom - 0.5
            return TaughtBatch(*batch[:4], points, said.covariance.float() * zoom**2)

        return prepare

    def find(self, image: ImageArray, rois: Sequence[Roi]) -> tuple[FloatArray, FloatArray]:
        """(F, K, 2) landmarks of the faces in parts of a picture, in its pixels, and (F,) the probabilities of each
        that there is one."""
        size = self.spec.input_size
        affines = [crop_affine(roi, size) for roi in rois]
        crops = np.stack([cut_crop(image, affine, size) for affine in affines])
        ordered = crops if self.spec.colour_order == "rgb" else np.ascontiguousarray(crops[..., ::-1])
        said = self.read(torch.from_numpy(ordered))
        points = said.points.float().numpy()
        found = [transform_points(invert_affine(affine), one) for affine, one in zip(affines, points, strict=True)]
        return np.stack(found), said.presence.float().numpy()

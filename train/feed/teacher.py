"""Trained networks as the teacher of another: landmarks and their spread for every crop of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from startrack.engines.base import EngineError, ModelSpec
from startrack.tracker.cut import cut_for
from startrack.tracker.schemes import find_scheme
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.feed.distillation_faces import DistillationItem
from startrack.train.models.landmark_head import LandmarkOutput
from startrack.train.models.mixture import moments_of_mixture


class DistillationBatch(NamedTuple):
    """B crops with the known facts and the answers of the teacher; lengths in pixels of the student's crop."""

    crops: Tensor
    """(B, S, S, 3) uint8."""
    landmarks: Tensor
    """(B, K, 2), true where weight is above 0."""
    presence: Tensor
    """(B,) 1 for a face."""
    weight: Tensor
    """(B,) of the true landmarks."""
    teacher_points: Tensor
    """(B, K, 2)."""
    teacher_covariance: Tensor
    """(B, K, 2, 2)."""


class TeacherOutput(NamedTuple):
    """What a teacher says of B crops, in their pixels."""

    points: Tensor
    """(B, K, 2)."""
    covariance: Tensor
    """(B, K, 2, 2)."""
    presence: Tensor
    """(B,)."""


class Teacher:
    """One network, or several that are asked alike: the moments of the mixture of their outputs, of equal weights.

    Reads crops in bfloat16, on the device that they are on. [LIMIT] The networks' disagreement counts as spread, so
    an ensemble's student is as unsure as its teachers are together.
    """

    def __init__(
        self,
        members: Sequence[tuple[ModelSpec, nn.Module]],
        *,
        flip: bool = False,
        annotation_bias: FloatArray | None = None,
    ) -> None:
        """members: specification, and crops → LandmarkOutput as train.recipes.load gives it; crops are those of the
        first, the others get them resized. flip: each is asked for the mirrored crop too. annotation_bias: (K, 2) of
        the landmarks that they learned (train/targets/annotation_bias.py); predictions for mirrored crops get it back.

        Raises EngineError if the members do not say the same of a crop, or if flip cannot be: no known pairs.
        """
        self.spec = members[0][0]
        for spec, _ in members[1:]:
            for field in ("scheme", "crop_scale"):
                first, other = getattr(self.spec, field), getattr(spec, field)
                if first != other:
                    raise EngineError(f"teacher {spec.name}: its {field} is {other}; expected the first's, {first}")
        self._members = [(spec, deployed.eval().requires_grad_(False)) for spec, deployed in members]
        scheme = find_scheme(self.spec.scheme)
        if flip and not scheme.flip_pairs:
            raise EngineError(f"teacher {self.spec.name}: no mirroring: nothing says which landmarks are pairs")
        self._flip_order = torch.from_numpy(scheme.flip_order) if flip else None
        bias = np.zeros((scheme.num_landmarks, 2)) if annotation_bias is None else annotation_bias
        face_px = self.spec.input_size / self.spec.crop_scale
        self._bias_px = torch.from_numpy(np.asarray(face_px * bias, np.float32))

    @torch.no_grad()
    def read(self, crops: Tensor) -> TeacherOutput:
        """Landmarks of (B, T, T, 3) uint8 crops, in their pixels."""
        outputs = [self._predict(spec, deployed, crops) for spec, deployed in self._members]
        if self._flip_order is not None:
            mirrored = crops.flip(2)
            outputs += [self._mirror_back(self._predict(spec, deployed, mirrored)) for spec, deployed in self._members]
        points, covariance, presence = (torch.stack(part) for part in zip(*outputs, strict=True))
        return TeacherOutput(*moments_of_mixture(points, covariance), presence.mean(0))

    def _predict(self, spec: ModelSpec, deployed: nn.Module, crops: Tensor) -> TeacherOutput:
        size, own_size = crops.shape[1], spec.input_size
        if own_size != size:
            planes = crops.permute(0, 3, 1, 2).float()
            planes = functional.interpolate(planes, (own_size, own_size), mode="bilinear", antialias=True)
            crops = planes.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        if spec.colour_order != self.spec.colour_order:
            crops = crops.flip(-1)
        deployed.to(crops.device)
        with torch.autocast(crops.device.type, dtype=torch.bfloat16):
            predicted: LandmarkOutput = deployed(crops.contiguous())
        return TeacherOutput(
            *resized(predicted.points.float(), predicted.covariance.float(), size / own_size),
            predicted.presence.float(),
        )

    def _mirror_back(self, predicted: TeacherOutput) -> TeacherOutput:
        order = self._flip_order
        assert order is not None
        mirror = predicted.points.new_tensor([-1.0, 1.0])
        edge = predicted.points.new_tensor([self.spec.input_size - 1.0, 0.0])
        points = predicted.points[:, order] * mirror + edge + 2 * self._bias_px.to(predicted.points.device)
        return TeacherOutput(points, predicted.covariance[:, order] * mirror.outer(mirror), *predicted[2:])

    def batches(self, student: ModelSpec) -> Callable[[DistillationItem, str], DistillationBatch]:
        """A Recipe.prepare: what the student's loss takes. Raises EngineError for another number of landmarks."""
        if self.spec.num_landmarks != student.num_landmarks:
            ours, theirs = student.num_landmarks, self.spec.num_landmarks
            raise EngineError(f"teacher {self.spec.name}: {theirs} landmarks; expected the student's {ours}")
        zoom = student.input_size / self.spec.input_size

        def prepare(batch: DistillationItem, device: str) -> DistillationBatch:
            predicted = self.read(batch.teacher_crops)
            return DistillationBatch(*batch[:4], *resized(predicted.points, predicted.covariance, zoom))

        return prepare

    def find(self, image: ImageArray, rois: Sequence[Roi]) -> tuple[FloatArray, FloatArray]:
        """(F, K, 2) landmarks of the faces in parts of a picture, in its pixels, and (F,) the probabilities of each
        that there is one."""
        cut = cut_for(self.spec, image, rois)
        predicted = self.read(torch.from_numpy(cut.crops))
        return cut.points_back(predicted.points.numpy()), predicted.presence.numpy()


def resized(points: Tensor, covariance: Tensor, zoom: float) -> tuple[Tensor, Tensor]:
    """(..., 2) points and (..., 2, 2) covariances in pixels of a crop → in those of the same crop, zoom times as large.

    Pixel centres are integers in both crops, so their edges, half a pixel further out, coincide.
    """
    return (points + 0.5) * zoom - 0.5, covariance * zoom**2
